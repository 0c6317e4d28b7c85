package kms

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/api"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/store"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/wire"
)

// maxText is how much can be encrypted at once, in bytes, and how long what is
// authenticated besides can be. Source: Cloud KMS API, EncryptRequest.
const maxText = 64 << 10

// A ciphertext is the number of the version as a varint, a nonce, and what AES-GCM
// makes of the plaintext: the service finds the version by it.

func encrypt(c *api.Call) (*api.Reply, error) {
	plain, checked, err := field(c, "plaintext")
	if err != nil {
		return nil, err
	}
	aad, aadChecked, err := field(c, "additionalAuthenticatedData")
	if err != nil {
		return nil, err
	}
	path, _, named := strings.Cut(c.Path, versions+"/")
	key, ok := c.Tx.Get(c.KeyOf(path))
	if !ok {
		return nil, missing(c, path)
	}
	name := c.Path
	if !named {
		if name = api.String(key, "primary.name"); name == "" {
			return nil, precondition("%s has no primary version.", c.Named(path))
		}
	}
	v, err := version(c, name)
	if err != nil {
		return nil, err
	}
	if err := enabled(v); err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(name[strings.LastIndexByte(name, '/')+1:])
	if err != nil {
		return nil, missing(c, name)
	}
	box, err := sealer(c, name)
	if err != nil {
		return nil, err
	}
	text := binary.AppendUvarint(nil, uint64(n))
	nonce := make([]byte, box.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return nil, err
	}
	text = box.Seal(append(text, nonce...), nonce, plain, aad)
	reply := store.Object{"name": v["name"], "ciphertext": base64.StdEncoding.EncodeToString(text), "ciphertextCrc32c": checksum(text), "protectionLevel": v["protectionLevel"]}
	if checked {
		reply["verifiedPlaintextCrc32c"] = true
	}
	if aadChecked {
		reply["verifiedAdditionalAuthenticatedDataCrc32c"] = true
	}
	return api.OK(reply)
}

func decrypt(c *api.Call) (*api.Reply, error) {
	text, _, err := field(c, "ciphertext")
	if err != nil {
		return nil, err
	}
	aad, _, err := field(c, "additionalAuthenticatedData")
	if err != nil {
		return nil, err
	}
	key, ok := c.Tx.Get(c.Key())
	if !ok || kind(c.Path) != "CryptoKey" {
		return nil, missing(c, c.Path)
	}
	// Source of the sentence: sethvargo/vault-on-gke issue 32.
	failed := wire.New(400, "Decryption failed: verify that 'name' refers to the correct CryptoKey.")
	n, read := binary.Uvarint(text)
	if read <= 0 {
		return nil, failed
	}
	path := c.Path + versions + "/" + strconv.FormatUint(n, 10)
	v, err := version(c, path)
	if err != nil {
		return nil, failed
	}
	box, err := sealer(c, path)
	if err != nil {
		return nil, err
	}
	text = text[read:]
	if len(text) < box.NonceSize() {
		return nil, failed
	}
	plain, err := box.Open(nil, text[:box.NonceSize()], text[box.NonceSize():], aad)
	if err != nil {
		return nil, failed
	}
	if err := enabled(v); err != nil {
		return nil, err
	}
	reply := store.Object{"plaintext": base64.StdEncoding.EncodeToString(plain), "plaintextCrc32c": checksum(plain), "protectionLevel": v["protectionLevel"]}
	if v["name"] == api.String(key, "primary.name") {
		reply["usedPrimary"] = true
	}
	return api.OK(reply)
}

// sealer is AES-GCM under a version's key.
func sealer(c *api.Call, path string) (cipher.AEAD, error) {
	material, _ := c.Tx.Blob(c.KeyOf(path))
	block, err := aes.NewCipher(material)
	if err != nil {
		return nil, fmt.Errorf("the key of %s: %w", path, err)
	}
	return cipher.NewGCM(block)
}

// field reads bytes of a request, and checks them against their checksum where it says
// one.
func field(c *api.Call, name string) (data []byte, checked bool, err error) {
	data, err = base64.StdEncoding.DecodeString(api.String(c.Body, name))
	if err != nil {
		return nil, false, wire.New(400, "Invalid value at '%s' (TYPE_BYTES), Base64 decoding failed.", name)
	}
	if name != "ciphertext" && len(data) > maxText {
		return nil, false, wire.New(400, "The field %s must have no more than %d bytes.", name, maxText)
	}
	sum := api.String(c.Body, name+"Crc32c")
	if sum != "" && sum != checksum(data) {
		return nil, false, wire.New(400, "The checksum in field %s_crc32c did not match the data in field %s.", name, name)
	}
	return data, sum != "", nil
}

func checksum(data []byte) string {
	return strconv.FormatInt(int64(crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))), 10)
}

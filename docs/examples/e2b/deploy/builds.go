package main

import (
	"bytes"
	"context"
	"crypto/md5" // by which Cloud Storage tells contents apart
	"encoding/base64"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"google.golang.org/api/storage/v1"
)

// copyBuilds makes the bucket of kernels and Firecracker hold what the folder
// builds does: it uploads what is new or another, and deletes what is gone.
func (s stack) copyBuilds(ctx context.Context) error {
	bucket := s.project + "-" + s.prefix + "-builds"
	there := map[string]string{}
	err := s.storage.Objects.List(bucket).Pages(ctx, func(page *storage.Objects) error {
		for _, o := range page.Items {
			there[o.Name] = o.Md5Hash
		}
		return nil
	})
	if err != nil {
		return err
	}
	folder := os.DirFS(filepath.Join(s.dir, "builds"))
	err = fs.WalkDir(folder, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(folder, name)
		if err != nil {
			return err
		}
		sum := md5.Sum(text)
		hash, ok := there[name]
		delete(there, name)
		if ok && hash == base64.StdEncoding.EncodeToString(sum[:]) {
			return nil
		}
		fmt.Fprintln(s.out, "uploading", name)
		_, err = s.storage.Objects.Insert(bucket, &storage.Object{Name: name}).Media(bytes.NewReader(text)).Context(ctx).Do()
		return err
	})
	if err != nil {
		return err
	}
	for name := range there {
		if err := s.storage.Objects.Delete(bucket, name).Context(ctx).Do(); err != nil {
			return err
		}
	}
	return nil
}

package wire

import (
	"encoding/xml"
	"fmt"
	"net/http"
)

// xmlCodes are the XML API's names of errors. Source: Cloud Storage, "XML API
// HTTP status codes and errors".
var xmlCodes = map[int]string{
	400: "InvalidArgument", 401: "AuthenticationRequired", 403: "AccessDenied", 404: "NoSuchKey", 409: "BucketNotEmpty",
	412: "PreconditionFailed", 416: "InvalidRange", 500: "InternalError", 501: "NotImplemented",
}

func writeXML(w http.ResponseWriter, e Error) {
	type document struct {
		XMLName xml.Name `xml:"Error"`
		Code    string
		Message string
		Details string `xml:",omitempty"`
	}
	d := document{Code: xmlCodes[e.Code], Message: e.Message}
	if e.Reason != "" && e.Reason != usual[e.Code][0] {
		d.Code = e.Reason
	}
	if e.Code == http.StatusForbidden && d.Code == "AccessDenied" {
		d.Message, d.Details = "Access denied.", e.Message
	}
	text, err := xml.Marshal(d)
	if err != nil {
		panic(err) // a struct of strings
	}
	w.Header().Set("Content-Type", "application/xml; charset=UTF-8")
	w.WriteHeader(e.Code)
	fmt.Fprintf(w, "<?xml version='1.0' encoding='UTF-8'?>%s", text)
}

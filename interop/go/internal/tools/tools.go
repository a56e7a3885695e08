//go:build tools

// Package tools pins what the build runs and no program imports.
package tools

import _ "google.golang.org/protobuf/cmd/protoc-gen-go"

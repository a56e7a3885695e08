// Package conformv1 holds the questions of coloan-conform and their answers (interop/conform/proto), generated and checked in
// as coloanv1 is.
package conformv1

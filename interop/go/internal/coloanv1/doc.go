// Package coloanv1 holds the messages of proto/coloan/v1. The generated files are checked in, as is usual in Go, so that the
// module builds with the go command alone; ../../run checks that they are what generate makes of the contract.
package coloanv1

//go:generate ../generate ..

// Package wire checks protobuf bytes before they are decoded (chapter 3.3). A decoder takes the last of several single fields,
// drops unknown ones and cuts numbers off, so two receivers of the same signed bytes could read two messages.
package wire

import (
	"math"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"coloan.example/interop/go/limits"
	"coloan.example/interop/go/refusal"
)

// Decode scans bytes and decodes them into an empty message.
func Decode(b []byte, into proto.Message) error {
	return decode(b, into, limits.Fields)
}

// DecodeDirectory decodes the one message that may have more fields than all others.
func DecodeDirectory(b []byte, into proto.Message) error {
	return decode(b, into, limits.DirectoryFields)
}

func decode(b []byte, into proto.Message, fieldsMax int) error {
	if err := Scan(b, into.ProtoReflect().Descriptor(), fieldsMax); err != nil {
		return err
	}
	if err := proto.Unmarshal(b, into); err != nil {
		return refusal.WireMalformed // the scan is stricter: not to be seen
	}
	return nil
}

// Scan refuses bytes that not every decoder reads as the same message.
func Scan(b []byte, message protoreflect.MessageDescriptor, fieldsMax int) error {
	if len(b) > limits.MessageBytes {
		return refusal.MessageTooLarge
	}
	s := scanner{fieldsLeft: fieldsMax}
	return s.message(b, message, 1)
}

// CheckText refuses what is not UTF-8, or holds control characters.
func CheckText(b []byte) error {
	if !utf8.Valid(b) {
		return refusal.TextEncoding
	}
	for _, r := range string(b) {
		if r <= 0x1f || 0x7f <= r && r <= 0x9f {
			return refusal.TextControl
		}
	}
	return nil
}

type scanner struct{ fieldsLeft int }

func (s *scanner) countField() error {
	if s.fieldsLeft == 0 {
		return refusal.WireTooManyFields
	}
	s.fieldsLeft--
	return nil
}

func (s *scanner) message(b []byte, message protoreflect.MessageDescriptor, depth int) error {
	if depth > limits.Nesting {
		return refusal.WireTooDeep
	}
	seen := map[protoreflect.FullName]bool{}
	for len(b) > 0 {
		if err := s.countField(); err != nil {
			return err
		}
		field, wireType, n, err := key(b, message)
		if err != nil {
			return err
		}
		b = b[n:]
		if once := nameOnce(field); !field.IsList() {
			if seen[once] {
				return refusal.WireDuplicate
			}
			seen[once] = true
		}
		if n, err = s.value(b, field, wireType, depth); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// nameOnce is what may stand once in a message: the field, or the oneof that it belongs to.
func nameOnce(field protoreflect.FieldDescriptor) protoreflect.FullName {
	if oneof := field.ContainingOneof(); oneof != nil {
		return oneof.FullName()
	}
	return field.FullName()
}

func key(b []byte, message protoreflect.MessageDescriptor) (protoreflect.FieldDescriptor, protowire.Type, int, error) {
	value, n, err := varint(b)
	if err != nil {
		return nil, 0, 0, err
	}
	number, wireType := value>>3, protowire.Type(value&7)
	if number == 0 || number > uint64(protowire.MaxValidNumber) || wireType > protowire.Fixed32Type {
		return nil, 0, 0, refusal.WireMalformed
	}
	if wireType == protowire.StartGroupType || wireType == protowire.EndGroupType {
		return nil, 0, 0, refusal.WireType
	}
	field := message.Fields().ByNumber(protowire.Number(number))
	if field == nil {
		return nil, 0, 0, refusal.WireUnknownField
	}
	declared := declaredType(field)
	packed := field.IsList() && declared != protowire.BytesType && wireType == protowire.BytesType
	if wireType != declared && !packed {
		return nil, 0, 0, refusal.WireType
	}
	return field, wireType, n, nil
}

func declaredType(field protoreflect.FieldDescriptor) protowire.Type {
	switch field.Kind() {
	case protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind, protoreflect.DoubleKind:
		return protowire.Fixed64Type
	case protoreflect.Fixed32Kind, protoreflect.Sfixed32Kind, protoreflect.FloatKind:
		return protowire.Fixed32Type
	case protoreflect.StringKind, protoreflect.BytesKind, protoreflect.MessageKind:
		return protowire.BytesType
	default:
		return protowire.VarintType
	}
}

// value scans what stands behind a key, and gives its length.
func (s *scanner) value(b []byte, field protoreflect.FieldDescriptor, wireType protowire.Type, depth int) (int, error) {
	if wireType != protowire.BytesType {
		return number(b, field)
	}
	length, n, err := varint(b)
	if err != nil {
		return 0, err
	}
	if length > uint64(len(b)-n) {
		return 0, refusal.WireMalformed
	}
	inner := b[n : n+int(length)]
	return n + int(length), s.delimited(inner, field, depth)
}

func (s *scanner) delimited(b []byte, field protoreflect.FieldDescriptor, depth int) error {
	switch field.Kind() {
	case protoreflect.MessageKind:
		return s.message(b, field.Message(), depth+1)
	case protoreflect.StringKind:
		return CheckText(b)
	case protoreflect.BytesKind:
		return nil
	default:
		return s.packed(b, field)
	}
}

// packed scans a list of numbers; each element counts as a field.
func (s *scanner) packed(b []byte, field protoreflect.FieldDescriptor) error {
	for len(b) > 0 {
		if err := s.countField(); err != nil {
			return err
		}
		n, err := number(b, field)
		if err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

func number(b []byte, field protoreflect.FieldDescriptor) (int, error) {
	switch declaredType(field) {
	case protowire.Fixed64Type:
		return fixed(b, 8)
	case protowire.Fixed32Type:
		return fixed(b, 4)
	}
	value, n, err := varint(b)
	if err != nil {
		return 0, err
	}
	return n, checkRange(value, field)
}

func fixed(b []byte, size int) (int, error) {
	if len(b) < size {
		return 0, refusal.WireMalformed
	}
	return size, nil
}

// varint reads a number that has to be in its shortest form.
func varint(b []byte) (uint64, int, error) {
	value, n := protowire.ConsumeVarint(b)
	if n < 0 {
		return 0, 0, refusal.WireMalformed
	}
	if n != protowire.SizeVarint(value) {
		return 0, 0, refusal.WireVarint
	}
	return value, n, nil
}

// checkRange refuses a number that its type does not hold. A negative int32 is extended to 64 bits on the wire.
func checkRange(value uint64, field protoreflect.FieldDescriptor) error {
	signed := int64(value)
	fitsInt32 := math.MinInt32 <= signed && signed <= math.MaxInt32
	switch field.Kind() {
	case protoreflect.EnumKind:
		if !fitsInt32 || field.Enum().Values().ByNumber(protoreflect.EnumNumber(signed)) == nil {
			return refusal.EnumUnknown
		}
	case protoreflect.BoolKind:
		if value > 1 {
			return refusal.WireVarint
		}
	case protoreflect.Int32Kind:
		if !fitsInt32 {
			return refusal.WireVarint
		}
	case protoreflect.Uint32Kind, protoreflect.Sint32Kind:
		if value > math.MaxUint32 {
			return refusal.WireVarint
		}
	}
	return nil
}

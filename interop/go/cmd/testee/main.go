// Command testee is this bank behind the questions of coloan-conform: frames on standard input, answers on standard output
// (interop/conform/proto). It has no batch signatures, and says so.
package main

import (
	"bufio"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"google.golang.org/protobuf/proto"

	"coloan.example/interop/go/directory"
	"coloan.example/interop/go/envelope"
	pb "coloan.example/interop/go/internal/coloanv1"
	conform "coloan.example/interop/go/internal/conformv1"
	"coloan.example/interop/go/keys"
	"coloan.example/interop/go/personal"
	"coloan.example/interop/go/refusal"
)

const questionBytesMax = 1024 * 1024

var bodies = map[string]proto.Message{"Application": &pb.Application{}, "BankDecision": &pb.BankDecision{}}

// reasonOf is the answer to a judgement: "OK", or the reason of the refusal. Any other error is a fault of ours.
func reasonOf(answer *conform.Answer, err error) error {
	var reason refusal.Reason
	switch {
	case err == nil:
		answer.What = &conform.Answer_Reason{Reason: "OK"}
	case errors.As(err, &reason):
		answer.What = &conform.Answer_Reason{Reason: string(reason)}
	default:
		var refused *refusal.Error
		if !errors.As(err, &refused) {
			return err
		}
		answer.What = &conform.Answer_Reason{Reason: string(refused.Reason)}
	}
	return nil
}

func sign(answer *conform.Answer, ask *conform.Sign) error {
	text := envelope.PAE(ask.PayloadType, ask.Payload)
	digest := envelope.DigestOf(ask.PayloadType, ask.Payload)
	signer, err := keys.NewSigner("bank:testee", ed25519.NewKeyFromSeed(ask.Seed))
	if err != nil {
		return err
	}
	signature, err := signer.Sign(text)
	answer.What = &conform.Answer_Signed{Signed: &conform.Signed{
		Pae: text, Digest: digest[:], PublicKey: signer.PublicKey().Bytes(), Signature: signature}}
	return err
}

func nameKey(answer *conform.Answer, ask *conform.NameKey) error {
	key, err := keys.ParsePublicKey(ask.PublicKey)
	if err != nil {
		return err
	}
	answer.What = &conform.Answer_KeyId{KeyId: key.ID()}
	return nil
}

func verifies(publicKey, message, signature []byte, otherwise refusal.Reason) error {
	key, err := keys.ParsePublicKey(publicKey)
	if errors.Is(err, refusal.KeyWeak) {
		return otherwise // by a weak key nothing holds
	}
	if err == nil && !key.Verify(message, signature) {
		return otherwise
	}
	return err
}

func load(trust *conform.Trust, bytes []byte, held uint64) (*directory.Directory, error) {
	key, err := keys.ParsePublicKey(trust.GetDirectoryKey())
	if err != nil {
		return nil, err
	}
	pinned := directory.Trust{Key: key, Centre: trust.Centre, Environment: trust.Environment}
	return directory.Load(bytes, pinned, held)
}

// receive does all checks of a receiver but duplicates and business.
func receive(ask *conform.JudgeEnvelope) (*envelope.Message, error) {
	known, err := load(ask.Trust, ask.Directory, 0)
	if err != nil {
		return nil, err
	}
	body, hasBody := bodies[ask.BodyType]
	direction, hasDirection := pb.Direction_value["DIRECTION_"+ask.Direction]
	if !hasBody || !hasDirection || ask.Environment != known.Environment() {
		return nil, fmt.Errorf("asked about %s %s %s", ask.Environment, ask.BodyType, ask.Direction)
	}
	expected := envelope.Expected{
		Keyring:   known,
		Sender:    ask.Sender,
		Recipient: ask.Recipient,
		Method:    ask.Method,
		Bodies:    []envelope.Body{{Message: body, Direction: pb.Direction(direction)}},
		Now:       time.UnixMilli(ask.NowMs),
	}
	if len(ask.InReplyTo) > 0 {
		expected.InReplyTo = (*envelope.Digest)(ask.InReplyTo)
	}
	opened, err := envelope.Open(ask.Envelope, expected)
	if err != nil {
		return nil, err
	}
	fields := personal.Commitments{}
	if application, isApplication := opened.Body.(*pb.Application); isApplication {
		if fields, err = personal.Fields(application); err != nil {
			return nil, err
		}
	}
	_, err = personal.RevealAll(fields, opened.Disclosures)
	return opened, err
}

func judgeEnvelope(answer *conform.Answer, ask *conform.JudgeEnvelope) error {
	if ask.Batch {
		answer.What = &conform.Answer_NotImplemented{NotImplemented: true}
		return nil
	}
	opened, err := receive(ask)
	if err != nil {
		return reasonOf(answer, err)
	}
	stored, err := envelope.Stored(opened.Envelope)
	answer.What = &conform.Answer_Opened{Opened: &conform.Opened{
		Digest: opened.Digest[:], MessageId: opened.Header.MessageId, Stored: stored}}
	return err
}

func answerTo(question *conform.Question) (*conform.Answer, error) {
	answer := &conform.Answer{Number: question.Number}
	var err error
	switch ask := question.Ask.(type) {
	case *conform.Question_Sign:
		err = sign(answer, ask.Sign)
	case *conform.Question_NameKey:
		err = nameKey(answer, ask.NameKey)
	case *conform.Question_Commit:
		commitment := personal.Commit(ask.Commit.Path, ask.Commit.Salt, ask.Commit.Value)
		answer.What = &conform.Answer_Commitment{Commitment: commitment}
	case *conform.Question_JudgePossession:
		one := ask.JudgePossession
		text := keys.Possession(one.Party, one.Environment, one.PublicKey)
		err = reasonOf(answer, verifies(one.PublicKey, text, one.Possession, refusal.KeyPossession))
	case *conform.Question_JudgeSignature:
		one := ask.JudgeSignature
		err = reasonOf(answer, verifies(one.PublicKey, one.Message, one.Signature, refusal.SignatureInvalid))
	case *conform.Question_JudgeDirectory:
		_, fault := load(ask.JudgeDirectory.Trust, ask.JudgeDirectory.Directory, ask.JudgeDirectory.HeldNumber)
		err = reasonOf(answer, fault)
	case *conform.Question_JudgeEnvelope:
		err = judgeEnvelope(answer, ask.JudgeEnvelope)
	default:
		answer.What = &conform.Answer_NotImplemented{NotImplemented: true}
	}
	return answer, err
}

// readQuestion gives io.EOF when there are no more.
func readQuestion(in io.Reader) (*conform.Question, error) {
	var length uint32
	if err := binary.Read(in, binary.BigEndian, &length); err != nil {
		return nil, err
	}
	if length > questionBytesMax {
		return nil, fmt.Errorf("a question of %d bytes", length)
	}
	bytes := make([]byte, length)
	if _, err := io.ReadFull(in, bytes); err != nil {
		return nil, err
	}
	question := &conform.Question{}
	return question, proto.Unmarshal(bytes, question)
}

func writeAnswer(out io.Writer, answer *conform.Answer) error {
	bytes, err := proto.Marshal(answer)
	if err != nil {
		return err
	}
	frame := binary.BigEndian.AppendUint32(nil, uint32(len(bytes)))
	_, err = out.Write(append(frame, bytes...))
	return err
}

func serve(in io.Reader, out io.Writer) error {
	for {
		question, err := readQuestion(in)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		answer, err := answerTo(question)
		if err == nil {
			err = writeAnswer(out, answer)
		}
		if err != nil {
			return err
		}
	}
}

func main() {
	if err := serve(bufio.NewReader(os.Stdin), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "testee:", err)
		os.Exit(1)
	}
}

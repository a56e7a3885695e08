// This bank behind the questions of coloan-conform: frames on standard input, answers on standard output
// (interop/conform/proto). It has no batch signatures, and says so.
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';
import { encode } from './contract.js';
import { Directory } from './directory.js';
import { checkTime, digestOf, open, openBody, pae } from './envelope.js';
import { keyId, possessionText, Signer, verify } from './keys.js';
import { commitment, fieldsOf, reveal } from './personal.js';
import { Refused } from './refused.js';

const LENGTH_BYTES = 4;
const folder = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../conform/proto');
const root = protobuf.loadSync(path.join(folder, 'coloan/conform/v1/testee.proto'));
const Question = root.lookupType('coloan.conform.v1.Question');
const Answer = root.lookupType('coloan.conform.v1.Answer');

/** "OK", or the reason for which `run` refuses. */
function reasonOf(run) {
  try {
    run();
    return 'OK';
  } catch (error) {
    if (error instanceof Refused) {
      return error.reason;
    }
    throw error;
  }
}

function sign({ payloadType, payload, seed }) {
  const signer = Signer.fromSeed('bank:testee', seed);
  const text = pae(payloadType, payload);
  return { signed: { pae: text, digest: digestOf(payloadType, payload), publicKey: signer.publicKey, signature: signer.sign(text) } };
}

function judgePossession({ party, environment, publicKey, possession }) {
  const holds = verify(publicKey, possessionText(party, environment, publicKey), possession);
  return { reason: holds ? 'OK' : 'KEY_POSSESSION' };
}

function trustOf({ environment, centre, directoryKey }) {
  return { publicKey: directoryKey, centre, environment };
}

function judgeDirectory({ trust, directory, heldNumber }) {
  const number = BigInt(heldNumber);
  return { reason: reasonOf(() => Directory.load(directory, trustOf(trust), number > 0n ? { number } : undefined)) };
}

/** All of a receiver's checks but duplicates and business. */
function receive(ask) {
  const nowMs = Number(ask.nowMs);
  const opened = open(ask.envelope, {
    directory: Directory.load(ask.directory, trustOf(ask.trust)),
    environment: ask.environment,
    sender: ask.sender,
    recipient: ask.recipient,
    method: ask.method,
    bodies: { [ask.bodyType]: `DIRECTION_${ask.direction}` },
    inReplyTo: ask.inReplyTo.length === 0 ? undefined : ask.inReplyTo,
    nowMs,
  });
  checkTime(opened.header, nowMs);
  const body = openBody(opened);
  reveal(opened.name === 'Application' ? fieldsOf(body) : new Map(), opened.disclosures, { all: true });
  return opened;
}

function judgeEnvelope(ask) {
  if (ask.batch) {
    return { notImplemented: true };
  }
  let opened;
  const reason = reasonOf(() => { opened = receive(ask); });
  if (reason !== 'OK') {
    return { reason };
  }
  const { payload, payload_type, signatures } = opened.envelope;
  const stored = encode('Envelope', { payload, payload_type, signatures });
  return { opened: { digest: opened.digest, messageId: opened.header.message_id, stored } };
}

const answers = {
  sign,
  nameKey: ({ publicKey }) => ({ keyId: keyId(publicKey) }),
  commit: ({ path: at, salt, value }) => ({ commitment: commitment(at, salt, value) }),
  judgePossession,
  judgeSignature: ({ publicKey, message, signature }) =>
    ({ reason: verify(publicKey, message, signature) ? 'OK' : 'SIGNATURE_INVALID' }),
  judgeDirectory,
  judgeEnvelope,
};

function answer(bytes) {
  const question = Question.toObject(Question.decode(bytes), { bytes: Buffer, longs: String, defaults: true, oneofs: true });
  const made = answers[question.ask]?.(question[question.ask]) ?? { notImplemented: true };
  return Buffer.from(Answer.encode(Answer.create({ number: question.number, ...made })).finish());
}

function writeFrame(bytes) {
  const frame = Buffer.alloc(LENGTH_BYTES + bytes.length);
  frame.writeUInt32BE(bytes.length);
  bytes.copy(frame, LENGTH_BYTES);
  for (let done = 0; done < frame.length;) {
    done += fs.writeSync(1, frame, done);
  }
}

let waiting = Buffer.alloc(0);
for await (const chunk of process.stdin) {
  waiting = Buffer.concat([waiting, chunk]);
  while (waiting.length >= LENGTH_BYTES && waiting.length >= LENGTH_BYTES + waiting.readUInt32BE()) {
    const end = LENGTH_BYTES + waiting.readUInt32BE();
    writeFrame(answer(waiting.subarray(LENGTH_BYTES, end)));
    waiting = waiting.subarray(end);
  }
}

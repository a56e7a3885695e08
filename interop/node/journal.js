// What a bank must not forget, in one append-only file: messages before they are first sent, events before they are
// acknowledged. A line is a JSON record; a line cut off by a crash was never relied on and is dropped. A real bank keeps
// the same records in its database, in the transaction that goes with them.
import fs from 'node:fs';

const BYTES = 'hex:';

function pack(_key, value) {
  if (typeof value === 'bigint') {
    return `n:${value}`;
  }
  return value?.type === 'Buffer' ? BYTES + Buffer.from(value.data).toString('hex') : value; // JSON calls toJSON first
}

function unpack(_key, value) {
  if (typeof value === 'string' && value.startsWith(BYTES)) {
    return Buffer.from(value.slice(BYTES.length), 'hex');
  }
  return typeof value === 'string' && /^n:\d+$/.test(value) ? BigInt(value.slice(2)) : value;
}

export class Journal {
  constructor(file) {
    const text = fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '';
    const whole = text.slice(0, text.lastIndexOf('\n') + 1);
    this.fd = fs.openSync(file, 'a', 0o600);
    fs.ftruncateSync(this.fd, Buffer.byteLength(whole));
    this.events = new Map(); // sequence (string) -> {digest, envelope, reference?}
    this.pending = new Map(); // message id (hex) -> {call, envelope, digest}
    this.lastSequence = 0n; // the highest that came or was named
    this.held = new Set(); // sequences (string) below it that come later
    this.starts = 0n;
    whole.split('\n').filter(Boolean).forEach((line) => this.remember(JSON.parse(line, unpack)));
  }

  remember(record) {
    switch (record.kind) {
      case 'start':
        this.starts++;
        break;
      case 'sending':
        this.pending.set(record.id, record);
        break;
      case 'settled':
        this.pending.delete(record.id);
        break;
      case 'event':
        this.events.set(`${record.sequence}`, record);
        this.held.delete(`${record.sequence}`);
        this.lastSequence = record.sequence > this.lastSequence ? record.sequence : this.lastSequence;
        break;
      case 'applied':
        this.events.get(`${record.sequence}`).reference = record.reference;
        break;
      case 'held':
        for (let sequence = record.from; sequence <= record.to; sequence++) {
          this.held.add(`${sequence}`);
        }
        this.lastSequence = record.to;
        break;
      case 'gap':
        this.lastSequence = record.to;
        break;
      default:
        throw new Error(`the journal holds an unknown record '${record.kind}'`);
    }
  }

  /** Returns when the record is durable. */
  write(record) {
    fs.writeSync(this.fd, `${JSON.stringify(record, pack)}\n`);
    fs.fdatasyncSync(this.fd);
    this.remember(record);
  }

  /** A number that rises with each start of the process: the epoch of its stream sessions. */
  start() {
    this.write({ kind: 'start' });
    return this.starts;
  }

  sending(call, { messageId, envelope, digest }) {
    this.write({ kind: 'sending', id: messageId.toString('hex'), call, envelope, digest });
  }

  settled({ messageId }) {
    this.write({ kind: 'settled', id: messageId.toString('hex') });
  }

  event(sequence, digest, envelope) {
    this.write({ kind: 'event', sequence, digest, envelope });
  }

  applied(sequence, reference) {
    this.write({ kind: 'applied', sequence, reference });
  }

  hold(from, to) {
    this.write({ kind: 'held', from, to });
  }

  gap(from, to) {
    this.write({ kind: 'gap', from, to });
  }

  close() {
    fs.closeSync(this.fd);
  }
}

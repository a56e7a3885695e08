// Protobuf bytes checked before they are decoded ([COL-SCN-001] to [COL-SCN-008]): a decoder takes the last of several single
// fields, drops unknown ones and cuts off numbers, so two receivers of the same signed bytes could read two messages.
import { Buffer } from 'node:buffer';
import protobuf from 'protobufjs';
import { check } from './refused.js';
import { FIELDS_MAX, NESTING_MAX } from './limits.js';
import { typeOf } from './contract.js';

const VARINT = 0;
const FIXED64 = 1;
const DELIMITED = 2;
const FIXED32 = 5;
const FIELD_NUMBER_MAX = 2n ** 29n - 1n;
const INT32_MIN_ON_WIRE = 2n ** 64n - 2n ** 31n; // a negative int32 is sign-extended to 64 bits
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function wireTypeOf(field) {
  if (field.resolvedType instanceof protobuf.Enum) {
    return VARINT;
  }
  switch (field.type) {
    case 'int32': case 'sint32': case 'uint32': case 'int64': case 'sint64': case 'uint64': case 'bool':
      return VARINT;
    case 'fixed64': case 'sfixed64': case 'double':
      return FIXED64;
    case 'fixed32': case 'sfixed32': case 'float':
      return FIXED32;
    default:
      return DELIMITED;
  }
}

/** Valid UTF-8 without C0, DEL and C1 control characters. */
export function checkText(bytes) {
  let text = '';
  try {
    text = utf8.decode(bytes);
  } catch {
    check(false, 'TEXT_ENCODING');
  }
  check(!/[\u0000-\u001f\u007f-\u009f]/.test(text), 'TEXT_CONTROL');
  return text;
}

class Scan {
  constructor(bytes, fieldsMax) {
    this.bytes = bytes;
    this.at = 0;
    this.fieldsLeft = fieldsMax;
  }

  varint(end) {
    let value = 0n;
    for (let shift = 0n; shift < 64n; shift += 7n) {
      check(this.at < end, 'WIRE_MALFORMED');
      const byte = this.bytes[this.at++];
      check(shift < 63n || byte <= 1, 'WIRE_MALFORMED'); // more than 64 bits
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) {
        check(byte !== 0 || shift === 0n, 'WIRE_VARINT');
        return value;
      }
    }
    return check(false, 'WIRE_MALFORMED');
  }

  skip(length, end) {
    check(length <= end - this.at, 'WIRE_MALFORMED');
    this.at += length;
  }

  countField() {
    check(this.fieldsLeft > 0, 'WIRE_TOO_MANY_FIELDS');
    this.fieldsLeft--;
  }

  number(field, end) {
    const wireType = wireTypeOf(field);
    if (wireType !== VARINT) {
      this.skip(wireType === FIXED64 ? 8 : 4, end);
      return;
    }
    const value = this.varint(end);
    const fitsInt32 = value < 2n ** 31n || value >= INT32_MIN_ON_WIRE;
    if (field.resolvedType instanceof protobuf.Enum) {
      const declared = fitsInt32 && field.resolvedType.valuesById[Number(BigInt.asIntN(32, value))] !== undefined;
      check(declared, 'ENUM_UNKNOWN');
    } else if (field.type === 'bool') {
      check(value <= 1n, 'WIRE_VARINT');
    } else if (field.type === 'int32') {
      check(fitsInt32, 'WIRE_VARINT');
    } else if (field.type === 'uint32' || field.type === 'sint32') {
      check(value < 2n ** 32n, 'WIRE_VARINT');
    }
  }

  delimited(field, end, depth) {
    const length = this.varint(end);
    check(length <= BigInt(end - this.at), 'WIRE_MALFORMED');
    const inner = this.at + Number(length);
    if (field.resolvedType instanceof protobuf.Type) {
      this.message(field.resolvedType, inner, depth + 1);
    } else if (field.type === 'string') {
      checkText(this.bytes.subarray(this.at, inner));
    } else if (field.type !== 'bytes') {
      while (this.at < inner) { // a packed list: each element counts
        this.countField();
        this.number(field, inner);
      }
    }
    this.at = inner;
  }

  key(type, end) {
    const key = this.varint(end);
    const wireType = Number(key & 7n);
    const id = key >> 3n;
    check(id !== 0n && id <= FIELD_NUMBER_MAX && wireType <= FIXED32, 'WIRE_MALFORMED');
    check(wireType !== 3 && wireType !== 4, 'WIRE_TYPE'); // groups
    const field = type.fieldsById[Number(id)];
    check(field !== undefined, 'WIRE_UNKNOWN_FIELD');
    const declared = wireTypeOf(field);
    const packed = field.repeated && declared !== DELIMITED && wireType === DELIMITED;
    check(wireType === declared || packed, 'WIRE_TYPE');
    return { field, wireType };
  }

  message(type, end, depth) {
    check(depth <= NESTING_MAX, 'WIRE_TOO_DEEP');
    const seen = new Set();
    while (this.at < end) {
      this.countField();
      const { field, wireType } = this.key(type, end);
      const once = field.partOf ?? field; // of the fields of a oneof only one may stand
      check(field.repeated || !seen.has(once), 'WIRE_DUPLICATE');
      seen.add(once);
      if (wireType === DELIMITED) {
        this.delimited(field, end, depth);
      } else {
        this.number(field, end);
      }
    }
  }
}

/** Throws Refused unless every decoder reads these bytes as the same message `name`. */
export function scan(name, bytes, bytesMax, fieldsMax = FIELDS_MAX) {
  check(bytes.length <= bytesMax, 'MESSAGE_TOO_LARGE');
  new Scan(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), fieldsMax).message(typeOf(name), bytes.length, 1);
}

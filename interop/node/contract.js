// The messages of proto/coloan/v1 as plain objects: 64-bit numbers are BigInt, bytes are Buffer, enumerations are their
// names, fields have the names of the contract. Whoever decodes foreign bytes scans them first (scan.js).
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';

const { Long } = protobuf.util;
const folder = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../proto');
const root = new protobuf.Root();
root.resolvePath = (_origin, target) => path.join(folder, target);
root.loadSync(['coloan/v1/services.proto', 'coloan/v1/application.proto', 'coloan/v1/directory.proto',
  'coloan/v1/push.proto', 'google/rpc/status.proto'], { keepCase: true });
root.resolveAll();

const PACKAGE = 'coloan.v1.';
const TYPE_BEFORE = 'application/vnd.coloan.v1.';
const TYPE_AFTER = '+protobuf';

/** The reflection type of "Application" or of a full name such as "google.rpc.Status". */
export function typeOf(name) {
  return root.lookupType(name.includes('.') ? name : PACKAGE + name);
}

/** Whether the contract has a message of that name. */
export function knows(name) {
  return /^[A-Za-z]+$/.test(name) && root.lookup(PACKAGE + name) instanceof protobuf.Type;
}

export function payloadType(name) {
  return TYPE_BEFORE + name + TYPE_AFTER;
}

/** The message a payload type names; undefined when there is none. */
export function messageOf(type) {
  const fits = type.startsWith(TYPE_BEFORE) && type.endsWith(TYPE_AFTER);
  const name = fits ? type.slice(TYPE_BEFORE.length, -TYPE_AFTER.length) : '';
  return knows(name) ? name : undefined;
}

const WIDE = { int64: false, uint64: true, sint64: false, fixed64: true, sfixed64: false }; // name: unsigned

function toWire(field, value) {
  if (field.resolvedType instanceof protobuf.Type) {
    return fill(field.resolvedType, value);
  }
  if (field.resolvedType instanceof protobuf.Enum) {
    const number = typeof value === 'number' ? value : field.resolvedType.values[value];
    if (number === undefined) {
      throw new TypeError(`${field.fullName} has no value '${value}'`);
    }
    return number;
  }
  return field.type in WIDE ? Long.fromString(BigInt(value).toString(), WIDE[field.type]) : value;
}

function isDefault(value) {
  return value === undefined || value === null || value === '' || value === 0 || value === 0n || value === false ||
    (value instanceof Uint8Array && value.length === 0);
}

function fill(type, object) {
  const message = type.create();
  for (const [name, value] of Object.entries(object)) {
    const field = type.fields[name];
    if (field === undefined) {
      throw new TypeError(`${type.fullName} has no field '${name}'`);
    }
    if (field.repeated) {
      message[name] = value.map((element) => toWire(field, element));
    } else if (!isDefault(value)) {
      message[name] = toWire(field, value);
    }
  }
  return message;
}

/** Bytes of an object; fields that are left out, and those with their default value, are not written. */
export function encode(name, object) {
  const type = typeOf(name);
  return Buffer.from(type.encode(fill(type, object)).finish());
}

function fromWire(field, value) {
  if (field.resolvedType instanceof protobuf.Type) {
    return plain(field.resolvedType, value);
  }
  if (field.resolvedType instanceof protobuf.Enum) {
    return field.resolvedType.valuesById[value] ?? value;
  }
  return field.type in WIDE ? BigInt(value.toString()) : value;
}

function defaultOf(field) {
  if (field.repeated) {
    return [];
  }
  if (field.resolvedType instanceof protobuf.Type) {
    return null;
  }
  return field.type === 'bytes' ? Buffer.alloc(0) : fromWire(field, field.typeDefault);
}

function plain(type, message) {
  const object = {};
  for (const field of type.fieldsArray) {
    const value = Object.hasOwn(message, field.name) ? message[field.name] : undefined;
    if (value === undefined || value === null) {
      object[field.name] = defaultOf(field);
    } else {
      object[field.name] = field.repeated ? value.map((element) => fromWire(field, element)) : fromWire(field, value);
    }
  }
  return object;
}

/** The object of bytes; every field is there, with its default value when the bytes do not hold it. */
export function decode(name, bytes) {
  const type = typeOf(name);
  return plain(type, type.decode(bytes));
}

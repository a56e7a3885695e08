// The numbers of docs/spec, chapter 12.
export const MESSAGE_BYTES_MAX = 256 * 1024;
export const PAYLOAD_BYTES_MAX = 192 * 1024;
export const NESTING_MAX = 8;
export const FIELDS_MAX = 4096;
export const DIRECTORY_FIELDS_MAX = 10 * 700 + 64;
export const SIGNATURES_MAX = 4;
export const KEY_TRIES_MAX = 4;
export const KEYS_MAX = 700;
export const PARTY_BYTES_MAX = 64;
export const ENVIRONMENT_BYTES_MAX = 64;
export const SALT_BYTES = 16;
export const VALUE_BYTES_MAX = 256;
export const DETAILS_BYTES_MAX = 4096;

export const CLOCK_AHEAD_MS_MAX = 30_000;
export const LIFE_MS_MAX = 600_000;
export const DEADLINE_MS_DEFAULT = 30_000;
export const HEARTBEAT_MS = 15_000;

/* limits.h - every limit that a peer can run into, with the reason for its number.
 *
 * A limit that an operator may change is a configuration field whose default and ceiling stand here. */
#ifndef COLOAN_LIMITS_H
#define COLOAN_LIMITS_H

/* -- Messages ------------------------------------------------------------------------------------------------- */

/* One gRPC message, both ways: the largest application with 4 persons and 32 documents takes about 8 KiB; documents
 * themselves travel in chunks. */
#define CL_MESSAGE_BYTES_MAX (256 * 1024)
/* Leaves room for signatures and disclosures beside the payload. */
#define CL_PAYLOAD_BYTES_MAX (192 * 1024)
/* Memory for one message being handled: unpacking costs protobuf-c at most 16 bytes for each one scanned. */
#define CL_MESSAGE_ARENA_BYTES_MAX (4 * 1024 * 1024)
/* Envelope > body > list > element > list > element, and two to spare. */
#define CL_NESTING_MAX 8
/* A protobuf field costs at least 2 bytes; 4,096 is ten times the largest real message. */
#define CL_FIELDS_MAX     4096
#define CL_SIGNATURES_MAX 4
/* Signatures that name no key are tried with the party's keys one by one; each try takes some 60 us. */
#define CL_KEY_TRIES_MAX 4
/* Messages signed at once (profile "batch"): the path of each then adds at most 340 bytes. */
#define CL_BATCH_MAX                  1024
#define CL_BATCH_DEPTH_MAX            10
#define CL_DISCLOSURES_MAX            64
#define CL_DISCLOSURE_VALUE_BYTES_MAX 256
#define CL_DISCLOSURE_SALT_BYTES      16
#define CL_PARTY_BYTES_MAX            64
#define CL_METHOD_BYTES_MAX           96
#define CL_TEXT_BYTES_MAX             64 /* references, numbers and codes that a sender chooses */

/* -- Key directory -------------------------------------------------------------------------------------------- */

/* Of the contract. A directory travels inside the payload of GetKeys: so many keys of the longest party and environment
 * fit (keyring.c checks the sum). A key that verifies nothing any more, because no message by it has to be looked at
 * without its own directory, may be left out of the next one. */
#define CL_KEYS_MAX 700
/* The bytes of a packed key but for its party and environment: fields 1 to 9 with their tags and lengths. */
#define CL_KEY_BYTES_FIXED 133
/* Envelope, header and fields of a directory without keys, and those of the answer it travels in. */
#define CL_DIRECTORY_BYTES_AROUND 1536
/* 9 fields and its own for each key, and those around them. */
#define CL_DIRECTORY_FIELDS_MAX (10 * CL_KEYS_MAX + 64)

/* A replaced key verifies on for so long: a party whose next fetch of the directory is a week late still has one. */
#define CL_KEY_OVERLAP_DAYS_DEFAULT 14
#define CL_KEY_OVERLAP_DAYS_MAX     90
/* A rotation that no directory took up lapses after so long: its operator has seen and not wanted it. A new key may not
 * begin later either. */
#define CL_KEY_AHEAD_DAYS_MAX 90
/* Three years: a key that nobody has changed for longer is one that nobody can change any more. */
#define CL_KEY_LIFE_DAYS_MAX 1100
/* A new key may be valid an hour back, for parties whose clocks are behind. */
#define CL_KEY_BACK_MS_MAX (60 * 60 * 1000)
/* Of one party, waiting for the next directory: one mishap in each of some weeks. */
#define CL_ROTATIONS_PENDING_MAX 4

/* -- Time (ms) ------------------------------------------------------------------------------------------------ */

#define CL_CLOCK_AHEAD_MS_MAX  (30 * 1000)      /* a sender's clock may run this far ahead */
#define CL_MESSAGE_LIFE_MS_MAX (10 * 60 * 1000) /* of a request; bounds how long a captured one is of use */
#define CL_DEADLINE_MS_DEFAULT (30 * 1000)
#define CL_DEADLINE_MS_MIN     100  /* less cannot cover a commit and a signature under load */
#define CL_RETRY_MS_DEFAULT    1000 /* told to a caller who may send the same bytes again */

/* -- Connections and calls ------------------------------------------------------------------------------------ */

#define CL_STREAMS_PER_CONNECTION_MAX 64
#define CL_CONNECTIONS_PER_PARTY_MAX  8
#define CL_METADATA_BYTES_MAX         8192
#define CL_SEND_QUEUE_MAX             256 /* messages waiting in one stream before it counts as slow */

/* -- Documents ----------------------------------------------------------------------------------------------- */

/* A scanned contract of a hundred pages. */
#define CL_DOCUMENT_BYTES_MAX (INT64_C(32) * 1024 * 1024)
/* What one chunk carries; it is not the payload's whole room, so that a chunk can be signed several times. Only the last
 * one of a document is shorter. */
#define CL_DOCUMENT_CHUNK_BYTES (64 * 1024)
/* What a party may have begun and not finished: all documents of one application, several times over. */
#define CL_UPLOADS_UNFINISHED_MAX      64
#define CL_UPLOAD_UNFINISHED_BYTES_MAX (INT64_C(512) * 1024 * 1024)
#define CL_UPLOAD_ABANDONED_MS         (INT64_C(24) * 60 * 60 * 1000) /* idle so long it makes room for another */

/* -- Applications --------------------------------------------------------------------------------------------- */

#define CL_PERSONS_MAX      4
#define CL_CONSENTS_MAX     64
#define CL_DOCUMENTS_MAX    32
#define CL_FACTS_MAX        16  /* of one verification result */
#define CL_ITEM_RESULTS_MAX 128 /* in one report, and of one application in one phase: every item of every person */
#define CL_REASONS_MAX      16
#define CL_TRACE_STEPS_MAX  128 /* four persons' items take some 75 */
#define CL_LIST_PAGE_MAX    100

#endif

import { test } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { example } from '../example.js';

for (const page of ['en', 'zh']) {
  test(`${page} holds the worked example as it is made`, () => {
    const text = fs.readFileSync(new URL(`../../../docs/spec/${page}/specification.md`, import.meta.url), 'utf8');
    assert.ok(text.includes(`\`\`\`\n${example()}\n\`\`\`\n`), 'node interop/node/example.js makes another one');
  });
}

// The whole script of e2e.js against a small centre of our own: that the script itself is right.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { e2e } from '../e2e.js';
import { Directory } from '../directory.js';
import { loadPublicKey } from '../keys.js';
import { CENTRE, makeFolder, removeFolder } from './support/folder.js';
import { Centre } from './support/centre.js';

test('the life of an application, and everything that must be refused', async () => {
  const folder = makeFolder();
  const trust = { publicKey: loadPublicKey(path.join(folder, 'directory.pub')), centre: CENTRE, environment: 'test' };
  const centre = new Centre(folder, CENTRE, Directory.load(fs.readFileSync(path.join(folder, 'directory.bin')), trust));
  const read = (name) => JSON.parse(fs.readFileSync(new URL(`../${name}.json`, import.meta.url), 'utf8'));
  const personas = { persona: read('p01'), refused: read('p05') };
  const port = await centre.start();
  try {
    const options = { target: `localhost:${port}`, certs: folder, centre: CENTRE, environment: 'test', simulated: true, ...personas };
    assert.ok(await e2e({ ...options, bank: 'bank:cn-beta-js', other: 'bank:cn-alpha-js' }) > 40);
  } finally {
    centre.stop();
    removeFolder(folder);
  }
});

// The rows of libcoloan/reasons.def: name -> {number, code, retry, textEn, textZh}.
import fs from 'node:fs';

const text = fs.readFileSync(new URL('../../../../libcoloan/reasons.def', import.meta.url), 'utf8');
const row = /^CL_REASON\((\w+), (\d+), (\w+), (\w+), "([^"]*)", "([^"]*)"\)$/gm;

export const REASONS = Object.fromEntries([...text.matchAll(row)].map(
  ([, name, number, code, retry, textEn, textZh]) => [name, { number: Number(number), code, retry, textEn, textZh }]));

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { CodedPartGuard } from '../../../src/gateway/scrub/coded-part-guard.ts';

function read(text: string, size = text.length): void {
  const guard = new CodedPartGuard('origin.test');
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) guard.last(bytes.subarray(0, at + size), at);
}

test('a part whose head names a coding does not pass, however the line is written and cut', () => {
  for (const line of [
    'Content-Encoding: gzip',
    'content-encoding:br',
    ' CONTENT-ENCODING :\tzstd',
    'Content-Transfer-Encoding: quoted-printable',
    'Transfer-Encoding: chunked',
    'Content-Encoding:\r\n gzip',
    'Content-Type: text/plain; charset=utf-16',
  ])
    for (const size of [1, 7, 1000])
      assert.throws(() => read(`--x\r\n${line}\r\n\r\nbody`, size), { code: 'origin_malformed' }, line);
});

test('parts as they are, or in Base64, pass', () => {
  read(
    '--x\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\nContent-Encoding: identity\r\n\r\nYWJj\r\nwe say Content-Encoding: gzip\r\n--x--',
  );
});

// Vectors of our own in llhttp's format. `npm run test:conformance llhttp` runs llhttp's.

import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { withTemporaryDirectory } from '../../support/temporary-directory.ts';
import { judge } from '../suite.ts';
import { runVectors } from './llhttp-suite.ts';

test('vectors in the format of llhttp are read as their log says', async () => {
  const verdict = judge(await runVectors(fileURLToPath(new URL('cases', import.meta.url))), [], true);
  assert.deepEqual(verdict, { passed: 6, deviations: 0, excluded: 2, faults: [] });
});

const log = (...lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('');
const head = 'off=19 headers complete status=200 v=1/1 flags=0 content_length=0';

for (const [what, kind, input, said, why] of [
  [
    'a body that is not the same',
    'response',
    'HTTP/1.1 200 OK\nContent-Length: 1\n\na\n',
    log('off=0 message begin', head),
    /llhttp reads/,
  ],
  [
    'a response that llhttp refuses',
    'response',
    'HTTP/1.1 200 OK\n\n\n',
    log('off=0 message begin', 'off=9 error code=13 reason="no"'),
    /taken, but/,
  ],
  [
    'a response that llhttp takes',
    'response',
    'HTTP/2.0 200 OK\n\n\n',
    log('off=0 message begin', head),
    /^refused/,
  ],
  [
    'another method',
    'request',
    'GET / HTTP/1.1\n\n\n',
    log('off=0 message begin', 'off=0 len=3 span[method]="PUT"', 'off=4 len=1 span[url]="/"'),
    /llhttp reads PUT/,
  ],
  [
    'a request that llhttp takes',
    'request',
    'get / HTTP/1.1\n\n\n',
    log('off=0 message begin', 'off=0 len=3 span[method]="get"'),
    /^refused/,
  ],
] as const)
  test(`the suite tells ${what}`, async () => {
    const results = await withTemporaryDirectory(async (folder) => {
      for (const name of ['request', 'response']) await mkdir(join(folder, name));
      const text = `## It\n\n<!-- meta={"type": "${kind}"} -->\n\`\`\`http\n${input}\`\`\`\n\n\`\`\`log\n${said}\`\`\`\n`;
      await writeFile(join(folder, kind, 'one.md'), text);
      return await runVectors(folder);
    });
    assert.equal(results.length, 1);
    assert.match(results[0]?.state === 'failed' ? results[0].why : 'not failed', why);
  });

// Autobahn is not installed anywhere that this test runs: a server of our own speaks the four paths of its fuzzing server.

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';

import { withTemporaryDirectory } from '../../support/temporary-directory.ts';
import { runAutobahn } from './autobahn-suite.ts';

const ws = createRequire(import.meta.url).resolve('ws');
const program = `#!${process.execPath}
const { readFileSync, writeFileSync } = require('node:fs');
const { WebSocketServer } = require(${JSON.stringify(ws)});
const { url, outdir } = JSON.parse(readFileSync(process.argv.at(-1), 'utf8'));
const seen = {};
const server = new WebSocketServer({ host: '127.0.0.1', port: Number(new URL(url).port) });
server.on('connection', (socket, request) => {
  const { pathname, searchParams } = new URL(request.url, url);
  if (pathname === '/getCaseCount') { socket.send('3'); socket.close(1000); return; }
  if (pathname === '/updateReports') {
    writeFileSync(outdir + '/index.json', JSON.stringify({ [searchParams.get('agent')]: seen }));
    socket.close(1000);
    return;
  }
  const number = searchParams.get('case');
  const behaviorClose = 'OK';
  if (number === '1') {
    socket.on('message', (data, isBinary) => {
      seen['1.1.1'] = { behavior: data.toString() === 'hello' && !isBinary ? 'OK' : 'FAILED', behaviorClose };
      socket.close(1000);
    });
    socket.send('hello');
  } else if (number === '2') {
    // A reserved opcode, by hand: the other side has to close with 1002.
    socket.on('close', (code) => (seen['4.1.1'] = { behavior: code === 1002 ? 'OK' : 'FAILED', behaviorClose }));
    socket._socket.write(Buffer.from([0x83, 0]));
  } else {
    seen['7.1.1'] = { behavior: 'OK', behaviorClose: 'WRONG CODE' };
    socket.close(1000);
  }
});
`;

test('the fuzzing server is talked to through agent and gateway, and its report is read', async () => {
  await withTemporaryDirectory(async (folder) => {
    const file = join(folder, 'wstest');
    await writeFile(file, program, { mode: 0o700 });
    assert.deepEqual(await runAutobahn(file, folder), [
      { id: '1.1.1', state: 'passed' },
      { id: '4.1.1', state: 'passed' },
      { id: '7.1.1', state: 'failed', why: 'OK, its close WRONG CODE' },
    ]);
  });
});

// `audit export` and `audit body` by the admin API: whole or said not to be, whatever the server is.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { AdminConnection } from '../../../src/admin/admin-connection.ts';
import { eventsInTime, exportAudit } from '../../../src/cli/operator/audit-export.ts';
import { eventsOfPeriod } from '../../../src/cli/operator/audit-records.ts';
import { serverBackend } from '../../../src/cli/operator/server-backend.ts';
import { asProxyError } from '../../../src/protocol/error.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { Secret } from '../../../src/protocol/secret.ts';
import { type AdminScene, event, openAdminScene } from '../../gateway/admin/admin-fixture.ts';
import { runShared } from '../../support/command-process.ts';
import { launcher } from '../../support/program.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

const anyToken = `upadm_${'A'.repeat(43)}`;
const named = (i: number): string => `event-${String(i).padStart(6, '0')}`;
const at = (i: number): string => new Date(Date.UTC(2030, 0, 1) + i).toISOString();
/** Two of each millisecond, each second one of another team, and hostile. */
const many = (count: number) =>
  Array.from({ length: count }, (_, i) =>
    event(named(i), {
      time: at(i >> 1),
      sessionId: i % 2 === 0 ? 'red' : 'blue',
      path: i % 2 === 0 ? '/a' : "/=HYPERLINK('x')\u001b[2J\u202e",
    }),
  );

const openScene = (): Promise<AdminScene> =>
  openAdminScene(new Map(), { address: '127.0.0.1', port: 0, names: [] });

interface Written {
  readonly text: string;
  readonly error: unknown;
}

async function written(port: number, token: string, format: 'ndjson' | 'csv' = 'ndjson'): Promise<Written> {
  await using connection = new AdminConnection({
    server: new URL(`http://127.0.0.1:${port}`),
    token: new Secret(token),
  });
  const target = new PassThrough();
  let text = '';
  target.setEncoding('utf8').on('data', (piece: string) => (text += piece));
  const { signal } = new AbortController();
  const error: unknown = await exportAudit(
    eventsInTime(serverBackend(connection), {}, signal),
    { format },
    target,
  ).catch((thrown: unknown) => thrown);
  target.end();
  if (!target.readableEnded) await once(target, 'end');
  return { text, error };
}

/** A server that responds as it is told, as long as `use` takes. */
async function withServer<T>(
  respond: (request: IncomingMessage, response: ServerResponse) => void,
  use: (port: number) => Promise<T>,
): Promise<T> {
  const server = createServer(respond).listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    return await use((server.address() as AddressInfo).port);
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

test('an export by the API is to the octet that of the store, in both forms', async () => {
  await using scene = await openScene();
  await scene.append(many(1203));
  const token = await scene.token('viewer');
  for (const format of ['ndjson', 'csv'] as const) {
    const target = new PassThrough();
    let own = '';
    target.setEncoding('utf8').on('data', (piece: string) => (own += piece));
    await exportAudit(eventsOfPeriod(scene.store.audit, {}), { format }, target);
    const { text, error } = await written(scene.port, token, format);
    assert.equal(error, undefined);
    assert.equal(text, own);
    assert.equal(text.trimEnd().split('\n').length, format === 'csv' ? 1204 : 1203);
    for (const control of ['\u001b', '\u202e']) assert.equal(text.includes(control), false);
  }
});

test('who sees only some sessions exports theirs, over any number of others', async () => {
  await using scene = await openScene();
  const others = defaultLimits.adminScannedEventsMax + 700;
  await scene.append([
    event('first', { time: at(0), sessionId: 'blue' }),
    ...Array.from({ length: others }, (_, i) => event(named(i), { time: at(1) })),
    event('last', { time: at(2), sessionId: 'blue' }),
  ]);
  const { text, error } = await written(scene.port, await scene.token('viewer', { sees: { team: 'blue' } }));
  assert.equal(error, undefined);
  const ids = text
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { readonly id: string }).id);
  assert.deepEqual(ids, ['first', 'last']);
});

test('an export that is cut says so, with the last event that is in it, and ends behind a whole line', async () => {
  await using scene = await openScene();
  await scene.append(many(1203));
  const token = await scene.token('viewer');
  const cuts: Readonly<Record<string, (response: ServerResponse, text: string) => void>> = {
    'before the response': (response) => response.destroy(),
    'within it': (response, text) => {
      response.writeHead(200, { 'content-length': text.length }).write(text.slice(0, 5000), () => {
        response.destroy();
      });
    },
    // As a balancer ends it that knows no length.
    'within it, by a clean end': (response, text) => response.end(text.slice(0, 5000)),
    'by something else': (response) => response.writeHead(502).end('<html>'),
    'by a redirect': (response) => response.writeHead(307, { location: 'http://other.test/' }).end(),
    'by a page that leads back': (response, text) =>
      response.end(JSON.stringify({ ...(JSON.parse(text) as object), next: '1.1' })),
    'by a revoked token': (response) =>
      response.writeHead(401).end(JSON.stringify({ code: 'operator_unknown', detail: 'revoked \u001b[2J' })),
  };
  for (const [where, cut] of Object.entries(cuts)) {
    let pages = 0;
    const relay = (request: IncomingMessage, response: ServerResponse): void => {
      pages += 1;
      const path = request.url ?? '';
      void scene.call('GET', path, { token }).then(({ text }) => {
        if (pages < 3) response.end(text);
        else cut(response, text);
      });
    };
    const { text, error } = await withServer(relay, (port) => written(port, anyToken));
    const lines = text.trimEnd().split('\n');
    assert.equal(lines.length, 1000, where);
    for (const line of lines) JSON.parse(line);
    const { code, message } = asProxyError(error);
    assert.ok(['admin_unreachable', 'operator_unknown'].includes(code), `${where}: ${code}`);
    const last = `ends behind 1000 events, the last of ${at(499)} with the id ${named(999)}; --since ${at(499)} goes on there`;
    assert.ok(message.includes(last), `${where}: ${message}`);
    assert.equal(message.includes('\u001b'), false);
  }
});

test('a connection that was closed between two pages is opened anew, and a question is sent once more at the most', async () => {
  await using scene = await openScene();
  await scene.append(many(1203));
  const token = await scene.token('viewer');
  let asked = 0;
  const closing = (always: boolean) => (request: IncomingMessage, response: ServerResponse) => {
    asked += 1;
    // Of a kept connection that is gone when the next question comes.
    if (asked === 2 || (always && asked > 1)) request.socket.destroy();
    else void scene.call('GET', request.url ?? '', { token }).then(({ text }) => response.end(text));
  };
  const { text, error } = await withServer(closing(false), (port) => written(port, anyToken));
  assert.equal(error, undefined);
  assert.equal(text.trimEnd().split('\n').length, 1203);
  asked = 0;
  const cut = await withServer(closing(true), (port) => written(port, anyToken));
  assert.equal(asProxyError(cut.error).code, 'admin_unreachable');
  assert.equal(asked, 3);
});

test('an endless response ends the export at its bound, and takes no more memory than that', async () => {
  const endless = (_: IncomingMessage, response: ServerResponse): void => {
    response.writeHead(200);
    const piece = Buffer.alloc(1024 * 1024, ' ');
    const more = (): void => {
      while (!response.destroyed && response.write(piece)) continue;
    };
    response.on('drain', more);
    more();
  };
  const { text, error } = await withServer(endless, (port) => written(port, anyToken));
  assert.equal(text, '');
  const { code, message } = asProxyError(error);
  assert.deepEqual([code, message.includes('nothing is exported')], ['admin_unreachable', true]);
  assert.match(message, new RegExp(`longer than ${defaultLimits.adminResponseBytesMax} bytes`));
});

test('Ctrl-C ends the command behind a whole line, with what it has and the exit code of an interruption', async () => {
  await using directory = await temporaryDirectory();
  await using scene = await openScene();
  await scene.append(many(1203));
  const token = await scene.token('viewer');
  const tokenFile = join(directory.path, 'token');
  await writeFile(tokenFile, anyToken);
  let pages = 0;
  const third = Promise.withResolvers<void>();
  const holding = (request: IncomingMessage, response: ServerResponse): void => {
    pages += 1;
    if (pages === 3) third.resolve();
    else void scene.call('GET', request.url ?? '', { token }).then(({ text }) => response.end(text));
  };
  await withServer(holding, async (port) => {
    const child = spawn(
      launcher,
      ['audit', 'export', '--server', `http://127.0.0.1:${port}`, '--token-file', tokenFile],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    let [out, said] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (piece: string) => (out += piece));
    child.stderr.setEncoding('utf8').on('data', (piece: string) => (said += piece));
    await third.promise;
    child.kill('SIGINT');
    const [code] = (await once(child, 'close')) as [number];
    assert.equal(code, 130, said);
    assert.match(said, /it was interrupted: the export ends behind 1000 events, .* \[cancelled\]\n$/);
    assert.equal(out.trimEnd().split('\n').length, 1000);
    assert.ok(out.endsWith('}\n'));
  });
});

test('kept bodies are shown to an operator by the API, recorded first, and to nobody below', async () => {
  await using directory = await temporaryDirectory();
  await using scene = await openScene();
  await scene.append([event('e1'), event('e3')]);
  const at = ['--server', `http://127.0.0.1:${scene.port}`, '--token-file'];
  for (const role of ['viewer', 'approver', 'operator'] as const)
    await writeFile(join(directory.path, role), await scene.token(role));
  const body = (role: string, id: string, ...more: readonly string[]) =>
    runShared(['audit', 'body', id, ...at, join(directory.path, role), ...more]);
  for (const role of ['viewer', 'approver']) {
    const { code, stdout, stderr } = await body(role, 'e1');
    assert.deepEqual([code, stdout], [77, '']);
    assert.match(stderr, /needs the role operator \[operator_refused\]/);
  }
  assert.equal(scene.audit.events.length, 0);
  const shown = await body('operator', 'e1');
  assert.equal(shown.stdout, 'request: no type, 2 bytes\n{}\nresponse: none is kept\n', shown.stderr);
  assert.equal(scene.audit.events.at(-1)?.action, 'bodies_viewed');
  const json = JSON.parse((await body('operator', 'e1', '--json')).stdout) as object;
  assert.deepEqual(json, { request: { bytes: 2, whole: true, redacted: 0, text: '{}' } });
  const none = await body('operator', 'e3');
  assert.equal(none.stdout, '');
  assert.match(none.stderr, /no bodies of that event are kept: no rule asked for it/);
});

// Other readers of responses of HTTP/1.1, to compare ours with: clients that ask a server on loopback, which sends what a test says.

import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';

import { Client } from 'undici';

/** The last response of those that it read; names in lower case, octets as latin1. Undefined: it refused it, or found it cut. */
export type ReadByOther =
  | {
      readonly status: number;
      readonly fields: readonly (readonly [string, string])[];
      readonly body: string;
    }
  | undefined;

export interface ResponseReaders extends AsyncDisposable {
  readonly names: readonly string[];
  /** Those that are not here, and why. */
  readonly absent: readonly string[];
  /** What each makes of a connection on which these bytes come and then the end. */
  read(bytes: Buffer, method: string): Promise<ReadonlyMap<string, ReadByOther>>;
}

interface Reader {
  readonly read: (port: number, method: string) => Promise<ReadByOther>;
  readonly close?: () => void;
}

const timeoutMs = 20_000;

export async function openResponseReaders(): Promise<ResponseReaders> {
  let bytes: Buffer = Buffer.alloc(0);
  const server = createServer((socket) => {
    socket.on('error', () => undefined).once('data', () => socket.end(bytes));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  // It listens on an address and a port.
  const { port } = server.address() as AddressInfo;
  const python = openPython();
  const found: readonly (readonly [string, Reader | undefined])[] = [
    ['node:http', { read: (at, method) => readByNode(at, method, false) }],
    ['node:http, told to take what is odd', { read: (at, method) => readByNode(at, method, true) }],
    ['undici', { read: readByUndici }],
    ['http.client', python],
    ['curl', spawnSync('curl', ['--version']).status === 0 ? { read: readByCurl } : undefined],
  ];
  const readers = found.flatMap(([name, reader]) => (reader === undefined ? [] : [[name, reader] as const]));
  return {
    names: readers.map(([name]) => name),
    absent: found.flatMap(([name, reader]) => (reader === undefined ? [`${name} is not installed`] : [])),
    read: async (given, method) => {
      bytes = given;
      const all = readers.map(async ([name, { read }]) => [name, await read(port, method)] as const);
      return new Map(await Promise.all(all));
    },
    [Symbol.asyncDispose]: async () => {
      for (const [, reader] of readers) reader.close?.();
      server.close();
    },
  };
}

/** Some keep blanks behind a value, which are no part of it (RFC 9112 §5). */
function withoutBlanks(value: string): string {
  return value.replace(/^[ \t]+|[ \t]+$/g, '');
}

function paired(raw: readonly string[]): readonly (readonly [string, string])[] {
  const fields: [string, string][] = [];
  for (let at = 0; at + 1 < raw.length; at += 2)
    fields.push([(raw[at] ?? '').toLowerCase(), withoutBlanks(raw[at + 1] ?? '')]);
  return fields;
}

async function readByNode(port: number, method: string, insecureHTTPParser: boolean): Promise<ReadByOther> {
  const { promise, resolve } = Promise.withResolvers<ReadByOther>();
  const request = http.request({ port, host: '127.0.0.1', method, agent: false, insecureHTTPParser });
  const refuse = (): void => resolve(undefined);
  request.setTimeout(timeoutMs, () => request.destroy());
  request.on('error', refuse).on('upgrade', (_response, socket) => {
    socket.destroy();
    refuse();
  });
  request.on('response', (response) => {
    let body = '';
    response.setEncoding('latin1').on('data', (piece: string) => (body += piece));
    response
      .on('error', refuse)
      .on('close', refuse)
      .on('end', () => {
        const status = response.statusCode ?? 0;
        resolve(response.complete ? { status, fields: paired(response.rawHeaders), body } : undefined);
      });
  });
  request.end();
  return promise;
}

async function readByUndici(port: number, method: string): Promise<ReadByOther> {
  const client = new Client(`http://127.0.0.1:${port}`, {
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
  });
  const { promise, resolve } = Promise.withResolvers<ReadByOther>();
  let status = 0;
  let raw: readonly string[] = [];
  let body = '';
  client.dispatch(
    // One of its own methods, or any other.
    { path: '/', method: method as 'GET' },
    {
      onRequestStart: () => undefined,
      onResponseStart: (controller, code) => {
        status = code;
        // The types leave them out.
        const { rawHeaders } = controller as unknown as { readonly rawHeaders: readonly (Buffer | string)[] };
        raw = rawHeaders.map((one) => (typeof one === 'string' ? one : one.toString('latin1')));
      },
      onResponseData: (_controller, piece) => {
        body += piece.toString('latin1');
      },
      onResponseEnd: () => resolve({ status, fields: paired(raw), body }),
      onResponseError: () => resolve(undefined),
    },
  );
  const read = await promise;
  await client.destroy();
  return read;
}

const pythonProgram = `
import sys, json, http.client
for line in sys.stdin:
    port, method = line.split()
    connection = http.client.HTTPConnection('127.0.0.1', int(port), timeout=${timeoutMs / 1000})
    try:
        connection.request(method, '/')
        response = connection.getresponse()
        body = response.read().decode('latin-1')
        said = {'status': response.status, 'fields': [[n.lower(), v] for n, v in response.getheaders()], 'body': body}
    except Exception as error:
        said = {'error': repr(error)}
    connection.close()
    print(json.dumps(said), flush=True)
`;

function openPython(): Reader | undefined {
  if (spawnSync('python3', ['-c', 'import http.client']).status !== 0) return undefined;
  const child: ChildProcess = spawn('python3', ['-c', pythonProgram], { stdio: ['pipe', 'pipe', 'ignore'] });
  const { stdin, stdout } = child;
  if (stdin === null || stdout === null) throw new Error('the pipes of python3 are not there');
  const lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
  return {
    read: async (port, method) => {
      stdin.write(`${port} ${method}\n`);
      const { value, done } = await lines.next();
      if (done === true) throw new Error('python3 ended');
      // Written by the program above.
      const said = JSON.parse(value) as NonNullable<ReadByOther> | { readonly error: string };
      if ('error' in said) return undefined;
      return { ...said, fields: said.fields.map(([name, text]) => [name, withoutBlanks(text)] as const) };
    },
    close: () => child.kill(),
  };
}

/** Behind the body, which may have anything in it. */
const curlMark = '\n=== curl ';

async function readByCurl(port: number, method: string): Promise<ReadByOther> {
  const { code, stdoutBytes } = await runCurl([
    '-q',
    '-sS',
    '--noproxy',
    '*',
    '-m',
    String(timeoutMs / 1000),
    '-w',
    `${curlMark}%{http_code} %{header_json}`,
    ...(method === 'HEAD' ? ['--head', '-o', '/dev/null'] : ['-X', method]),
    `http://127.0.0.1:${port}/`,
  ]);
  if (code !== 0) return undefined;
  const text = stdoutBytes.toString('latin1');
  const split = text.lastIndexOf(curlMark);
  const [status = ''] = text.slice(split + curlMark.length).split(' ', 1);
  // An object of lists, by names in lower case.
  const named = JSON.parse(text.slice(split + curlMark.length + status.length + 1)) as Record<
    string,
    string[]
  >;
  const fields = Object.entries(named).flatMap(([name, values]) =>
    values.map((value) => [name, value] as const),
  );
  return { status: Number(status), fields, body: text.slice(0, split) };
}

async function runCurl(
  args: readonly string[],
): Promise<{ readonly code: number | null; readonly stdoutBytes: Buffer }> {
  const child = spawn('curl', args, { stdio: ['ignore', 'pipe', 'ignore'] });
  const pieces: Buffer[] = [];
  child.stdout.on('data', (piece: Buffer) => pieces.push(piece));
  // Node gives the exit code first.
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdoutBytes: Buffer.concat(pieces) };
}

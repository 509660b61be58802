// How real servers read the path of a request: nginx, Apache, Python's own servers, and Node's ways of decoding.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';

import { runCommand } from './command.ts';
import { freePort } from './free-port.ts';
import { temporaryDirectory } from './temporary-directory.ts';
import { findTool } from './tools.ts';

/** What a server makes of paths: octets as characters, undefined where it refuses. */
export interface PathDecoder extends AsyncDisposable {
  readonly name: string;
  read(paths: readonly string[]): Promise<readonly (string | undefined)[]>;
}

/** `decodeURIComponent` of the whole path (static files in Koa and Express), and of each segment (parameters of routers). */
export const nodeDecoders: readonly PathDecoder[] = [
  inProcess('Node, the whole path', (path) => octets(decodeURIComponent(path))),
  inProcess('Node, twice', (path) => octets(decodeURIComponent(decodeURIComponent(path)))),
  inProcess('Node, parameters of a router', (path) =>
    octets(
      path
        .split('/')
        .map((segment) => decodeURIComponent(segment).replaceAll('/', '%2F'))
        .join('/'),
    ),
  ),
];

function inProcess(name: string, read: (path: string) => string): PathDecoder {
  const orRefused = (path: string): string | undefined => {
    try {
      return read(path);
    } catch {
      return undefined;
    }
  };
  return {
    name,
    read: (paths) => Promise.resolve(paths.map(orRefused)),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

const octets = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

const pythonScript = `
import sys, json
from http.server import SimpleHTTPRequestHandler
from wsgiref.simple_server import WSGIRequestHandler
class Files(SimpleHTTPRequestHandler):
    def __init__(self): self.directory = '/'
files = Files()
def wsgi(path):
    handler = WSGIRequestHandler.__new__(WSGIRequestHandler)
    handler.server = type('S', (), {'base_environ': {}})()
    handler.path, handler.request_version, handler.command = path, 'HTTP/1.1', 'GET'
    import email.message
    handler.headers = email.message.Message()
    handler.client_address = ('127.0.0.1', 1)
    handler.address_string = lambda: ''
    return handler.get_environ()['PATH_INFO']
out = []
for path in json.load(sys.stdin):
    out.append([wsgi(path), files.translate_path(path).encode('utf-8', 'surrogateescape').decode('latin-1')])
json.dump(out, sys.stdout)
`;

/** Python's WSGI server (Flask, Django) and its file server, which merges slashes; none without python3. */
export function pythonDecoders(): readonly PathDecoder[] {
  const python = findTool('python3');
  if (python === undefined) return [];
  return ['Python, WSGI', 'Python, http.server'].map((name, column) => ({
    name,
    async read(paths) {
      const { code, stdout, stderr } = await runCommand(python, ['-c', pythonScript], {
        input: JSON.stringify(paths),
      });
      if (code !== 0) throw new Error(stderr);
      // The script's own output.
      return (JSON.parse(stdout) as string[][]).map((row) => row[column]);
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }));
}

/** nginx, with slashes merged and without. */
export async function nginxDecoders(): Promise<readonly PathDecoder[]> {
  const variants = [
    { name: 'nginx', setting: 'merge_slashes on;' },
    { name: 'nginx, slashes not merged', setting: 'merge_slashes off;' },
  ];
  return await Promise.all(
    variants.map(({ name, setting }) =>
      startServer(name, (directory, port) => ({
        program: 'nginx',
        args: ['-p', directory, '-e', 'stderr', '-c', join(directory, 'server.conf')],
        config: `daemon off; master_process off; pid nginx.pid; error_log stderr crit;
events { worker_connections 64; }
http { access_log off; client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
  large_client_header_buffers 4 64k;
  server { listen 127.0.0.1:${port}; ${setting} location / { default_type text/plain; return 200 $uri; } } }
`,
      })),
    ),
  );
}

/** Apache, with each of its ways to treat an encoded slash. */
export async function apacheDecoders(): Promise<readonly PathDecoder[]> {
  const modules = '/usr/lib/apache2/modules';
  return await Promise.all(
    ['Off', 'NoDecode', 'On'].map((slashes) =>
      startServer(`Apache, AllowEncodedSlashes ${slashes}`, (directory, port) => ({
        program: 'apache2',
        args: ['-X', '-f', join(directory, 'server.conf')],
        config: `ServerRoot ${directory}
PidFile httpd.pid
DefaultRuntimeDir ${directory}
LoadModule mpm_event_module ${modules}/mod_mpm_event.so
LoadModule authz_core_module ${modules}/mod_authz_core.so
LoadModule headers_module ${modules}/mod_headers.so
Listen 127.0.0.1:${port}
ServerName localhost
ErrorLog /dev/null
KeepAlive On
MaxKeepAliveRequests 0
AllowEncodedSlashes ${slashes}
DocumentRoot ${directory}
Header always set X-Read "expr=[%{REQUEST_URI}]"
`,
      })),
    ),
  );
}

interface ServerPlan {
  readonly program: string;
  readonly args: readonly string[];
  readonly config: string;
}

async function startServer(
  name: string,
  plan: (directory: string, port: number) => ServerPlan,
): Promise<PathDecoder> {
  await using stack = new AsyncDisposableStack();
  const directory = stack.use(await temporaryDirectory()).path;
  const port = await freePort();
  const { program, args, config } = plan(directory, port);
  await writeFile(join(directory, 'server.conf'), config);
  const child = spawn(findTool(program) ?? program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  stack.defer(() => end(child));
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  await listening(port, () => (child.exitCode === null ? undefined : `${name} ended: ${said}`));
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  stack.defer(() => {
    agent.destroy();
  });
  const owned = stack.move();
  return {
    name,
    read: (paths) => Promise.all(paths.map((path) => ask(port, path, agent))),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}

async function listening(port: number, ended: () => string | undefined): Promise<void> {
  for (;;) {
    const problem = ended();
    if (problem !== undefined) throw new Error(problem);
    const socket = connect(port, '127.0.0.1');
    try {
      await once(socket, 'connect');
      return;
    } catch {
      // Not yet: asked again in the next turn.
      await new Promise((resolve) => setImmediate(resolve));
    } finally {
      socket.destroy();
    }
  }
}

/** The path as the server tells it, in a field or in the body. */
async function ask(port: number, path: string, agent: Agent): Promise<string | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<string | undefined>();
  request({ host: '127.0.0.1', port, path, agent }, (response) => {
    response.setEncoding('latin1');
    let body = '';
    response.on('data', (chunk: string) => (body += chunk));
    response.on('end', () => {
      const field = response.headers['x-read'];
      // Of what Apache refuses before it looks for a file, it says nothing.
      if (typeof field === 'string') resolve(field.slice(1, -1));
      else resolve(response.statusCode === 200 ? body : undefined);
    });
    response.on('error', reject);
  })
    .on('error', reject)
    .end();
  return await promise;
}

// A git server over smart HTTP: TLS, `git http-backend`, one repository with one commit.

import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';

import { mustRun } from './command.ts';
import { httpsOrigin, type Origin } from './origin.ts';
import { patienceMs } from './patience.ts';
import { temporaryDirectory } from './temporary-directory.ts';
import type { TestAuthority } from './test-authority.ts';

export interface GitServer extends Origin {
  /** Path of the repository in URLs. */
  readonly repositoryPath: string;
  /** Directory that the paths are below. */
  readonly root: string;
  /** Commit that the branch `main` points at. */
  readonly commit: string;
}

// Nothing of the machine's or the user's git configuration may matter.
export const gitEnvironment = {
  PATH: process.env['PATH'] ?? '/usr/bin:/bin',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_AUTHOR_NAME: 'Test',
  GIT_AUTHOR_EMAIL: 'test@example.com',
  GIT_COMMITTER_NAME: 'Test',
  GIT_COMMITTER_EMAIL: 'test@example.com',
};

async function makeRepository(directory: string, name: string): Promise<string> {
  const work = join(directory, 'work');
  const git = (...args: string[]): Promise<string> => mustRun('git', args, { env: gitEnvironment });
  await git('init', '--quiet', '--initial-branch=main', work);
  await writeFile(join(work, 'README'), 'A repository that was fetched through the proxy.\n');
  await git('-C', work, 'add', 'README');
  await git('-C', work, 'commit', '--quiet', '-m', 'first');
  const bare = join(directory, 'served', `${name}.git`);
  await git('clone', '--quiet', '--bare', work, bare);
  await git('-C', bare, 'config', 'http.receivepack', 'true');
  return (await git('-C', work, 'rev-parse', 'HEAD')).trim();
}

/** The CGI variables of RFC 3875 that `git http-backend` reads. */
function cgiEnvironment(request: IncomingMessage, root: string): NodeJS.ProcessEnv {
  const [path = '/', query = ''] = (request.url ?? '/').split('?');
  return {
    ...gitEnvironment,
    GIT_PROJECT_ROOT: root,
    GIT_HTTP_EXPORT_ALL: '1',
    REMOTE_USER: request.headers.authorization === undefined ? '' : 'authenticated',
    REQUEST_METHOD: request.method ?? 'GET',
    PATH_INFO: decodeURIComponent(path),
    QUERY_STRING: query,
    CONTENT_TYPE: request.headers['content-type'] ?? '',
    CONTENT_LENGTH: request.headers['content-length'] ?? '',
    HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
    GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
  };
}

interface Backend {
  /** The program itself: `git` in front of it would leave it behind when it is killed. */
  readonly program: string;
  readonly root: string;
}

function respondByBackend(
  request: IncomingMessage,
  response: ServerResponse,
  { program, root }: Backend,
): void {
  const child = spawn(program, [], { env: cgiEnvironment(request, root), timeout: patienceMs });
  child.stdin.on('error', () => undefined);
  // Half a body: the backend waits for the rest for ever, and at an early end of its input it spins.
  request.once('close', () => {
    if (!request.complete) child.kill('SIGKILL');
  });
  request.pipe(child.stdin);
  child.stderr.resume();
  let head = Buffer.alloc(0);
  const onHead = (chunk: Buffer): void => {
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) return;
    child.stdout.off('data', onHead);
    let status = 200;
    for (const line of head.subarray(0, end).toString('latin1').split('\r\n')) {
      const colon = line.indexOf(':');
      const [name, value] = [line.slice(0, colon), line.slice(colon + 1).trim()];
      if (name.toLowerCase() === 'status') status = Number.parseInt(value, 10);
      else response.setHeader(name, value);
    }
    response.writeHead(status);
    response.write(head.subarray(end + 4));
    child.stdout.pipe(response);
  };
  child.stdout.on('data', onHead);
  child.on('error', () => response.destroy());
  child.on('close', () => response.end());
}

/** Starts the server. `expectedAuthorization`, if given, is demanded with 401 and a Basic challenge. */
export async function gitServer(options: {
  readonly authority: TestAuthority;
  readonly expectedAuthorization?: string;
  readonly address?: string;
  /** Path of the repository without `.git`. */
  readonly repository?: string;
}): Promise<GitServer> {
  await using stack = new AsyncDisposableStack();
  const directory = stack.use(await temporaryDirectory());
  const { repository = 'project' } = options;
  const commit = await makeRepository(directory.path, repository);
  const root = join(directory.path, 'served');
  const programs = (await mustRun('git', ['--exec-path'], { env: gitEnvironment })).trim();
  const program = join(programs, 'git-http-backend');
  const { expectedAuthorization } = options;
  const origin = stack.use(
    await httpsOrigin({
      ...options,
      handler: (request, response) => {
        if (expectedAuthorization !== undefined && request.headers.authorization !== expectedAuthorization) {
          response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' });
          response.end('Authentication required\n');
          return;
        }
        respondByBackend(request, response, { program, root });
      },
    }),
  );
  const owned = stack.move();
  const close = (): Promise<void> => owned.disposeAsync();
  return {
    ...origin,
    repositoryPath: `/${repository}.git`,
    root,
    commit,
    close,
    [Symbol.asyncDispose]: close,
  };
}

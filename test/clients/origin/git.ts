// Git over smart HTTP: clone and push, by `git http-backend`.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { mustRun } from '../../support/command.ts';
import { findTool } from '../../support/tools.ts';
import { crateFiles } from './crates.ts';
import { largeFiles } from './git-lfs.ts';
import type { OriginResponse, OriginHandler, OriginRequest } from './handler.ts';

// Nothing of the machine's or the user's git configuration may matter.
const environment = {
  PATH: process.env['PATH'] ?? '/usr/bin:/bin',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_AUTHOR_NAME: 'Test',
  GIT_AUTHOR_EMAIL: 'test@example.com',
  GIT_COMMITTER_NAME: 'Test',
  GIT_COMMITTER_EMAIL: 'test@example.com',
};
const erlangFiles = {
  README: 'A library that was fetched through the proxy.\n',
  'src/example_library.app.src':
    '{application, example_library, [{vsn, "1.0.0"}, {applications, [kernel, stdlib]}]}.\n',
};
const hookFiles = {
  '.pre-commit-hooks.yaml':
    '- id: hello\n  name: hello\n  entry: hello.sh\n  language: script\n  always_run: true\n  verbose: true\n',
  'hello.sh': '#!/bin/sh\necho a hook that was fetched through the proxy\n',
};
const backendTimeoutMs = 30_000;

async function makeRepository(
  root: string,
  name: string,
  files: Readonly<Record<string, string>>,
): Promise<void> {
  const work = join(root, `${name}-work`);
  const served = join(root, `${name}.git`);
  const git = (...args: string[]): Promise<string> => mustRun('git', args, { env: environment });
  await git('init', '--quiet', '--initial-branch=main', work);
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(work, path)), { recursive: true });
    // Programs among them are to run; nobody minds that of others.
    await writeFile(join(work, path), content, { mode: 0o755 });
  }
  await git('-C', work, 'add', '.');
  await git('-C', work, 'commit', '--quiet', '-m', 'first');
  await git('-C', work, 'tag', 'v1.0.0');
  await git('clone', '--quiet', '--bare', work, served);
  // Anybody may push: there is nothing to authenticate here.
  await git('-C', served, 'config', 'http.receivepack', 'true');
}

/** The CGI variables of RFC 3875 that `git http-backend` reads. */
function cgiEnvironment({ method, path, query, headers }: OriginRequest, root: string): NodeJS.ProcessEnv {
  return {
    ...environment,
    GIT_PROJECT_ROOT: root,
    GIT_HTTP_EXPORT_ALL: '1',
    REQUEST_METHOD: method,
    PATH_INFO: decodeURIComponent(path),
    QUERY_STRING: query.toString(),
    CONTENT_TYPE: headers['content-type'] ?? '',
    HTTP_CONTENT_ENCODING: headers['content-encoding'] ?? '',
    GIT_PROTOCOL: String(headers['git-protocol'] ?? ''),
  };
}

function parseCgi(output: Buffer): OriginResponse {
  const end = output.indexOf('\r\n\r\n');
  if (end < 0) return { status: 500, body: 'git http-backend gave no response\n' };
  const headers: Record<string, string> = {};
  let status = 200;
  for (const line of output.subarray(0, end).toString('latin1').split('\r\n')) {
    const colon = line.indexOf(':');
    const [name, value] = [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    if (name === 'status') status = Number.parseInt(value, 10);
    else headers[name] = value;
  }
  return { status, headers, body: output.subarray(end + 4) };
}

async function respondByBackend(request: OriginRequest, root: string): Promise<OriginResponse> {
  const env = { ...cgiEnvironment(request, root), CONTENT_LENGTH: String(request.body.length) };
  const child = spawn('git', ['http-backend'], {
    env,
    stdio: ['pipe', 'pipe', 'ignore'],
    timeout: backendTimeoutMs,
  });
  const output: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
  // A backend that refuses early does not read all of it.
  child.stdin.on('error', () => undefined);
  child.stdin.end(request.body);
  await once(child, 'close');
  return parseCgi(Buffer.concat(output));
}

/** Makes the repositories below `root`. Without git on this machine the host responds to nothing. */
export async function gitHost(root: string): Promise<OriginHandler> {
  if (findTool('git') === undefined) return () => undefined;
  await makeRepository(root, 'project', { README: 'A repository that was fetched through the proxy.\n' });
  await makeRepository(root, 'crate', crateFiles);
  await makeRepository(root, 'erlang', erlangFiles);
  await makeRepository(root, 'hooks', hookFiles);
  return async (request) => {
    if (request.path.includes('/info/lfs/')) return await largeFiles(request);
    return /^\/(?:project|crate|erlang|hooks)\.git\//.test(request.path)
      ? await respondByBackend(request, root)
      : undefined;
  };
}

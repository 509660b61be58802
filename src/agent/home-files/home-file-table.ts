// Clients that take proxy or trust from a file in HOME alone: what it is called, and what has to be in it.

import { marked } from '../placements/own-mark.ts';
import { knownHostsSetting } from '../trust/known-hosts.ts';

export interface HomeFileFacts {
  /** Port of the relay on 127.0.0.1. */
  readonly port: number;
  readonly bundle: string;
  readonly ownCa: string;
  /** Program and arguments of `upstreamproxy connect`; undefined where there is none that a shell could start. */
  readonly connectCommand: readonly string[] | undefined;
  /** Keys of servers of SSH whose connections the gateway ends. */
  readonly knownHosts?: string | undefined;
}

export interface HomeFile {
  /** Below HOME. */
  readonly path: string;
  readonly mode: number;
  readonly text: string;
}

/** Pure. Proxies stand only where the client does not take them from the environment. */
export function homeFiles({ port, bundle, ownCa, connectCommand, knownHosts }: HomeFileFacts): HomeFile[] {
  const file = (path: string, ...lines: readonly string[]): HomeFile => ({
    path,
    mode: 0o644,
    text: marked(`${lines.join('\n')}\n`),
  });
  const files = [
    file(
      '.subversion/servers',
      '[global]',
      'http-proxy-host = 127.0.0.1',
      `http-proxy-port = ${port}`,
      'http-proxy-exceptions = localhost, 127.0.0.1',
      `ssl-authority-files = ${ownCa}`,
    ),
    file('.aria2/aria2.conf', `ca-certificate=${bundle}`),
    file('.lftprc', `set ssl:ca-file ${JSON.stringify(bundle)}`),
    file('.links2/links.cfg', `http_proxy "127.0.0.1:${port}"`, `https_proxy "127.0.0.1:${port}"`),
    file(
      '.s3cfg',
      '[default]',
      'proxy_host = 127.0.0.1',
      `proxy_port = ${port}`,
      `ca_certs_file = ${bundle}`,
    ),
    file('.config/yt-dlp/config', '--compat-options no-certifi'),
  ];
  if (connectCommand === undefined) return files;
  return [...files, sshConfiguration(port, connectCommand, knownHosts)];
}

/** All of them, for any facts. */
export const homeFilePaths: readonly string[] = homeFiles({
  port: 0,
  bundle: '',
  ownCa: '',
  connectCommand: [],
}).map(({ path }) => path);

function sshConfiguration(
  port: number,
  command: readonly string[],
  knownHosts: string | undefined,
): HomeFile {
  // ssh expands % and gives the line to a shell.
  const quoted = [...command, 'connect', '--relay', `http://127.0.0.1:${port}`]
    .map((word) => `'${word.replaceAll("'", `'\\''`).replaceAll('%', '%%')}'`)
    .join(' ');
  const known = knownHosts === undefined ? undefined : knownHostsSetting(knownHosts);
  const lines = [
    'Host * !localhost !127.0.0.1 !::1',
    // A name that ssh resolves itself would be refused: the relay wants names.
    '  CanonicalizeHostname no',
    `  ProxyCommand ${quoted} %h %p`,
    ...(known === undefined ? [] : [`  UserKnownHostsFile ${known}`]),
  ];
  return { path: '.ssh/config', mode: 0o600, text: marked(`${lines.join('\n')}\n`) };
}

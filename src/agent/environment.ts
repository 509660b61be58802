// The workload's environment as one table: which variable, which value, and the clients that need it.

import type { WorkloadFiles } from './trust/workload-stores.ts';
import { mercurialPath } from './trust/hgrc.ts';
import { identityPath, identityUrl } from '../protocol/identity-address.ts';
import type { SessionSigningKey } from '../protocol/session-messages.ts';
import { gitConfiguration } from './trust/git-configuration.ts';
import { knownHostsSetting } from './trust/known-hosts.ts';

/** What the values are made of. Files that were not written leave out the variables that name them. */
export interface WorkloadFacts {
  /** Port of the relay on 127.0.0.1; 0 if it has none: then no variable points to it. */
  readonly port: number;
  readonly files: WorkloadFiles;
  /** The environment that the workload would have without us; lists in it are appended to. */
  readonly base: Readonly<Record<string, string | undefined>>;
  /** Stand-ins for credentials, from the gateway. They never displace a variable of the table. */
  readonly placeholders: Readonly<Record<string, string>>;
  /** With what git has things signed; undefined: with nothing of ours. */
  readonly signing?: SessionSigningKey | undefined;
}

export interface EnvironmentRow {
  readonly name: string;
  /** Undefined: the row does not apply, for its file is not there. */
  readonly value: (facts: WorkloadFacts) => string | undefined;
  readonly clients: string;
  /** The user's own value is part of ours, or of the file that ours names. */
  readonly keepsOwn: boolean;
}

/** Where the relay's Unix socket is, for workloads that can use one. */
export const relaySocketVariable = 'UPSTREAMPROXY_RELAY_SOCKET';

/** Names of the user's variables that gave way to those of the session, separated by commas. */
export const displacedVariable = 'UPSTREAMPROXY_DISPLACED';

/** Set to 1 where connections are led to the relay without a proxy setting too. */
export const captureVariable = 'UPSTREAMPROXY_CAPTURE';

/** What never goes through the relay; every client understands exact lower-case names without spaces. */
const noProxyDefault = 'localhost,127.0.0.1,::1';

const proxyUrl = ({ port }: WorkloadFacts): string => `http://127.0.0.1:${port}`;
const bundle = ({ files }: WorkloadFacts): string => files.bundle;

/** Rows whose value, or the file that it names, begins with what the user has set. */
const keepingOwn =
  /^(?:no_proxy|NO_PROXY|NODE_OPTIONS|JAVA_TOOL_OPTIONS|PHP_INI_SCAN_DIR|WGETRC|HGRCPATH|APT_CONFIG|GIT_CONFIG_COUNT)$/;

const row = (name: string, value: EnvironmentRow['value'], clients: string): EnvironmentRow => ({
  name,
  value,
  clients,
  keepsOwn: keepingOwn.test(name),
});

/**
 * The table. Deliberately absent: ALL_PROXY, WS_PROXY and CARGO_HTTP_PROXY (nobody needs them), GLOBAL_AGENT_*
 * (breaks global-agent 4), NODE_TLS_REJECT_UNAUTHORIZED (nothing is ever weakened).
 */
export const environmentTable: readonly EnvironmentRow[] = [
  row('http_proxy', proxyUrl, 'nearly all; curl reads only this case for http'),
  row('HTTP_PROXY', proxyUrl, 'Python, Go, Ruby, .NET and others'),
  row('https_proxy', proxyUrl, 'nearly all'),
  row('HTTPS_PROXY', proxyUrl, 'nearly all'),
  row('no_proxy', noProxy, 'nearly all'),
  row('NO_PROXY', noProxy, 'nearly all'),
  row(
    'SSL_CERT_FILE',
    bundle,
    'OpenSSL, Go, Ruby, httpx, aiohttp, gh, buf, codex, skopeo, podman, restic, yt-dlp, uv',
  ),
  row('CURL_CA_BUNDLE', bundle, 'curl, R'),
  row('GIT_SSL_CAINFO', bundle, 'git, git-lfs, rebar3'),
  row('REQUESTS_CA_BUNDLE', bundle, 'requests, poetry, az, aws'),
  row('PIP_CERT', bundle, 'pip'),
  row('AWS_CA_BUNDLE', awsBundle, 'aws, boto3 where it was set before; else REQUESTS_CA_BUNDLE serves them'),
  row('HTTPLIB2_CA_CERTS', bundle, 'httplib2'),
  row('GRPC_DEFAULT_SSL_ROOTS_FILE_PATH', bundle, 'grpcio'),
  row('WEBSOCKET_CLIENT_CA_BUNDLE', bundle, 'websocket-client'),
  row('PERL_LWP_SSL_CA_FILE', bundle, 'LWP'),
  row('BUNDLE_SSL_CA_CERT', bundle, 'bundler'),
  row('COMPOSER_CAFILE', bundle, 'composer'),
  row('NIX_SSL_CERT_FILE', bundle, 'nix'),
  row(
    'NODE_EXTRA_CA_CERTS',
    ({ files }) => files.ownCa ?? files.bundle,
    'Node 20 to 26, yarn 4, deno; adds to their roots',
  ),
  row('NODE_USE_ENV_PROXY', () => '1', 'fetch, http, https and WebSocket of Node 22 to 26'),
  row('NODE_OPTIONS', nodeOptions, 'Node 20; ws, superagent, AWS SDK v3, http2'),
  row('npm_config_cafile', bundle, 'npm, pnpm and yarn 1 where an npmrc sets cafile'),
  row('YARN_HTTP_PROXY', proxyUrl, 'yarn 4'),
  row('YARN_HTTPS_PROXY', proxyUrl, 'yarn 4'),
  row('YARN_HTTPS_CA_FILE_PATH', bundle, 'yarn 4'),
  row('DENO_CERT', bundle, 'deno'),
  row('CARGO_HTTP_CAINFO', bundle, 'cargo'),
  row('JAVA_TOOL_OPTIONS', javaToolOptions, 'Maven, Gradle, Ant, Leiningen and every other JVM program'),
  row('HEX_CACERTS_PATH', bundle, 'mix'),
  row('PHP_INI_SCAN_DIR', phpIniScanDirectories, 'PHP'),
  row('SYSTEM_CERTIFICATE_PATH', ({ files }) => files.hashedDirectory, 'stack, darcs'),
  row('WGETRC', ({ files }) => files.wgetrc, 'wget'),
  row(
    'HGRCPATH',
    ({ base, files }) => (files.hgrc === undefined ? undefined : mercurialPath(base, files.hgrc)),
    'hg',
  ),
  row('RSYNC_PROXY', ({ port }) => `127.0.0.1:${port}`, 'rsync'),
  row('GIT_SSH_COMMAND', gitSshCommand, 'git over SSH, where the gateway ends it'),
  row(
    'GIT_CONFIG_COUNT',
    (facts) => signingVariables(facts)['GIT_CONFIG_COUNT'],
    'git where the gateway signs; with GIT_CONFIG_KEY_0, GIT_CONFIG_VALUE_0 and so on',
  ),
  row(
    'SSH_AUTH_SOCK',
    ({ files }) => files.sshAgent,
    'ssh, scp, ssh-add, ssh-keygen and git where the gateway signs for an agent',
  ),
  row('APT_CONFIG', ({ files }) => files.aptConfig, 'apt before version 3'),
  row('CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE', bundle, 'gcloud'),
  row('JULIA_SSL_CA_ROOTS_PATH', bundle, 'julia'),
  row('UV_NATIVE_TLS', () => '1', 'uv'),
  row('ELECTRON_GET_USE_PROXY', () => '1', 'electron'),
];

/** The variables to set for the workload; only these, not the base they were made from. Pure. */
export function workloadEnvironment(facts: WorkloadFacts): Record<string, string> {
  const environment: Record<string, string> = {
    ...placeholdersHere(facts),
    ...signingVariables(facts),
  };
  for (const { name, value } of environmentTable) {
    const text = facts.port === 0 && value(facts) !== value({ ...facts, port: 1 }) ? undefined : value(facts);
    if (text === undefined) delete environment[name];
    else environment[name] = text;
  }
  return environment;
}

/** Addresses below the gateway's own name are those of the relay: libraries take nothing else than an address of this machine, and use no proxy for it. */
function placeholdersHere({ placeholders, port }: WorkloadFacts): Record<string, string> {
  const here = Object.entries(placeholders).flatMap(([name, value]) => {
    if (!value.startsWith(identityUrl)) return [[name, value] as const];
    const path = value.slice(identityUrl.length);
    return port === 0 ? [] : [[name, `http://127.0.0.1:${port}${identityPath}${path}`] as const];
  });
  return Object.fromEntries(here);
}

/**
 * The variables in which a value of the user gives way to ours and is not part of it: they are told. `usualBundles` are
 * paths of the system's own bundle, whose roots are in ours.
 */
export function displacedVariables(
  facts: WorkloadFacts,
  environment: Readonly<Record<string, string>>,
  usualBundles: readonly string[],
): string[] {
  return environmentTable
    .filter(({ name, keepsOwn }) => {
      const own = facts.base[name];
      if (own === undefined || own === '' || own === environment[name] || usualBundles.includes(own))
        return false;
      if (!(name in environment)) return false;
      return !keepsOwn || /(?:^|[\s,])\*(?:$|[\s,])/.test(/^no_proxy$/i.test(name) ? own : '');
    })
    .map(({ name }) => name);
}

/**
 * The user's exceptions behind ours: lower case, one comma, no space, each once, as all clients read it. Not `*`, which says that
 * nobody uses a proxy: no way out is left without ours.
 */
function noProxy({ base }: WorkloadFacts): string {
  const own = noProxyDefault.split(',');
  const theirs = `${base['no_proxy'] ?? ''},${base['NO_PROXY'] ?? ''}`.toLowerCase().split(/[\s,]+/);
  return [...new Set([...own, ...theirs.filter((entry) => entry !== '' && entry !== '*')])].join(',');
}

/** Only in place of the user's: rclone and others with a transport of their own stop where it is set, and who needs one has another. */
function awsBundle({ base, files }: WorkloadFacts): string | undefined {
  return base['AWS_CA_BUNDLE'] === undefined ? undefined : files.bundle;
}

/** Only where the user says nothing: a command of theirs has its own way to know servers. */
function gitSshCommand({ base, files }: WorkloadFacts): string | undefined {
  const isOwn = base['GIT_SSH_COMMAND'] !== undefined || base['GIT_SSH'] !== undefined;
  if (files.knownHosts === undefined || isOwn) return undefined;
  const setting = knownHostsSetting(files.knownHosts);
  return setting === undefined
    ? undefined
    : `ssh -o 'UserKnownHostsFile=${setting.replaceAll("'", `'\\''`)}'`;
}

function signingVariables({ base, files, signing }: WorkloadFacts): Readonly<Record<string, string>> {
  return gitConfiguration(base, files.gitSign, signing);
}

function nodeOptions({ base, files }: WorkloadFacts): string | undefined {
  if (files.nodeHook === undefined) return undefined;
  return appended(base['NODE_OPTIONS'], ' ', `--require=${JSON.stringify(files.nodeHook)}`);
}

function javaToolOptions({ base, files, port }: WorkloadFacts): string | undefined {
  if (files.javaKeyStore === undefined) return undefined;
  const options = ['http', 'https']
    .flatMap((scheme) => [`-D${scheme}.proxyHost=127.0.0.1`, `-D${scheme}.proxyPort=${port}`])
    .concat(
      `-Dhttp.nonProxyHosts=${javaExceptions(noProxy({ base, files, port, placeholders: {} }))}`,
      `-Djavax.net.ssl.trustStore=${javaWord(files.javaKeyStore)}`,
      '-Djavax.net.ssl.trustStoreType=JKS',
      '-Djavax.net.ssl.trustStorePassword=changeit',
    );
  return appended(base['JAVA_TOOL_OPTIONS'], ' ', options.join(' '));
}

/** The JVM splits at blanks but for those in quotes. */
function javaWord(text: string): string {
  return /\s/.test(text) ? `'${text}'` : text;
}

/** NO_PROXY as Java has it: bars between, stars for what is left open, brackets for IPv6. Ports it does not know. */
function javaExceptions(noProxyList: string): string {
  return noProxyList
    .split(',')
    .filter((entry) => /^[\w.:*-]+$/.test(entry) && !/^[^:]*:\d+$/.test(entry))
    .map((entry) => (entry.startsWith('.') ? `*${entry}` : entry.includes(':') ? `[${entry}]` : entry))
    .join('|');
}

/** An empty entry stands for PHP's built-in folder. */
function phpIniScanDirectories({ base, files }: WorkloadFacts): string | undefined {
  if (files.phpIniDirectory === undefined) return undefined;
  return `${base['PHP_INI_SCAN_DIR'] ?? ''}:${files.phpIniDirectory}`;
}

function appended(base: string | undefined, separator: string, text: string): string {
  return base === undefined || base === '' ? text : `${base}${separator}${text}`;
}

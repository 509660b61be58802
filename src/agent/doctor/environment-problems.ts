// What is wrong with the container as a whole, and settings of single clients that go over those of the session.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { environmentTable } from '../environment.ts';
import { relayAddressOf, type Scene, withoutPassword } from './examine-settings.ts';
import { fileState, readBounded } from './trust-evidence.ts';

export interface Problem {
  /** For programs: `no_proxy_wide`. */
  readonly code: string;
  readonly message: string;
  readonly fix: string;
}

/** More, and certificates that are young or old are refused. */
const clockSkewMsMax = 60_000;

/** Everything but the contact itself. */
export function environmentProblems(scene: Scene, clockSkewMs: number | undefined): readonly Problem[] {
  return [
    ...proxyProblems(scene),
    ...exceptionProblems(scene),
    ...fileProblems(scene),
    ...weakening(scene),
    ...overridingFiles(scene),
    ...systemProblems(scene, clockSkewMs),
  ];
}

function proxyProblems({ environment, relay }: Scene): readonly Problem[] {
  const names = ['http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY', 'ALL_PROXY', 'all_proxy'];
  return names.flatMap((name) => {
    const value = environment[name];
    if (value === undefined || value === '') return [];
    const found = relayAddressOf(value);
    if (relay === undefined || (found?.host === relay.host && found.port === relay.port)) return [];
    return problem(
      'proxy_other',
      `${name} names another proxy than the relay: ${withoutPassword(value)}`,
      name.toLowerCase() === 'all_proxy'
        ? `unset ${name}`
        : `export ${name}=http://${relay.host}:${relay.port}`,
    );
  });
}

function exceptionProblems({ environment }: Scene): readonly Problem[] {
  return ['no_proxy', 'NO_PROXY'].flatMap((name) => {
    const entries = (environment[name] ?? '').split(/[\s,]+/);
    const wide = entries.filter((entry) => entry === '*' || /^\.?invalid$/i.test(entry));
    if (wide.length === 0) return [];
    return problem(
      'no_proxy_wide',
      `${name} has ${wide.join(', ')}: clients go around the relay`,
      `export ${name}=localhost,127.0.0.1,::1`,
    );
  });
}

/** A file that is gone makes most clients fail at once. */
function fileProblems({ environment, authority, sessionBundle }: Scene): readonly Problem[] {
  // The table names files by these three; what it says of the others is looked at with their clients.
  const facts = { port: 1, base: {}, placeholders: {}, files: { bundle: '/b', ownCa: '/c' } };
  return environmentTable.flatMap((row) => {
    const named = row.value(facts);
    const path = environment[row.name];
    if ((named !== '/b' && named !== '/c') || path === undefined || path === '') return [];
    const fix = sessionBundle === undefined ? `unset ${row.name}` : `export ${row.name}=${sessionBundle}`;
    if (!existsSync(path))
      return problem('file_missing', `${row.name} names a file that is not there: ${path}`, fix);
    if (authority.length === 0 || fileState(path, authority) === 'trusts') return [];
    return problem(
      'authority_missing',
      `${row.name} names a file without the gateway's certificate: ${path}`,
      fix,
    );
  });
}

const weak: readonly (readonly [name: string, value: RegExp])[] = [
  ['NODE_TLS_REJECT_UNAUTHORIZED', /^0$/],
  ['GIT_SSL_NO_VERIFY', /./],
  ['PYTHONHTTPSVERIFY', /^0$/],
  ['npm_config_strict_ssl', /^(?:false|)$/],
];

function weakening({ environment }: Scene): readonly Problem[] {
  const switched = weak.flatMap(([name, value]) =>
    value.test(environment[name] ?? 'unset!') && environment[name] !== undefined
      ? problem('verification_off', `${name} turns the verification of certificates off`, `unset ${name}`)
      : [],
  );
  const global = Object.keys(environment).filter((name) => /^GLOBAL_AGENT_HTTPS?_PROXY$/.test(name));
  return [
    ...switched,
    ...global.flatMap((name) => problem('global_agent', `${name} breaks global-agent 4`, `unset ${name}`)),
  ];
}

interface OverridingFile {
  readonly path: string;
  readonly pattern: RegExp;
  readonly says: string;
  /** Set, the setting of the file does not count. */
  readonly unless?: string;
}

/** Below HOME, if the path does not begin with a slash. */
const overridingFilesTable: readonly OverridingFile[] = [
  { path: '.npmrc', pattern: /^\s*(?:https-)?proxy\s*=\s*(\S+)/m, says: 'a proxy for npm' },
  { path: '.npmrc', pattern: /^\s*strict-ssl\s*=\s*(false)/m, says: 'no verification for npm' },
  {
    path: '.npmrc',
    pattern: /^\s*cafile\s*=\s*(\S+)/m,
    says: 'certificates for npm',
    unless: 'npm_config_cafile',
  },
  { path: '.gitconfig', pattern: /^\[http[^\]]*\][^[]*?^\s*proxy\s*=\s*(\S+)/m, says: 'a proxy for git' },
  { path: '.gitconfig', pattern: /^\s*sslverify\s*=\s*(false|0|no|off)/im, says: 'no verification for git' },
  {
    path: '.config/git/config',
    pattern: /^\[http[^\]]*\][^[]*?^\s*proxy\s*=\s*(\S+)/m,
    says: 'a proxy for git',
  },
  { path: '/etc/gitconfig', pattern: /^\[http[^\]]*\][^[]*?^\s*proxy\s*=\s*(\S+)/m, says: 'a proxy for git' },
  { path: '.config/pip/pip.conf', pattern: /^\s*proxy\s*=\s*(\S+)/m, says: 'a proxy for pip' },
  { path: '.pip/pip.conf', pattern: /^\s*proxy\s*=\s*(\S+)/m, says: 'a proxy for pip' },
  { path: '/etc/pip.conf', pattern: /^\s*proxy\s*=\s*(\S+)/m, says: 'a proxy for pip' },
  { path: '.curlrc', pattern: /^\s*-{0,2}proxy[\s=:]+"?([^\s"]+)/m, says: 'a proxy for curl' },
  { path: '.curlrc', pattern: /^\s*(?:--)?(insecure|-k)\s*$/m, says: 'no verification for curl' },
  { path: '.wgetrc', pattern: /^\s*https_proxy\s*=\s*(\S+)/m, says: 'a proxy for wget' },
  { path: '.cargo/config.toml', pattern: /^\s*proxy\s*=\s*"?([^\s"]+)/m, says: 'a proxy for cargo' },
  { path: '.condarc', pattern: /^\s*https:\s*(\S+)/m, says: 'a proxy for conda' },
  { path: '.m2/settings.xml', pattern: /<proxy>[\s\S]*?<host>([^<]+)<\/host>/, says: 'a proxy for Maven' },
  {
    path: '.gradle/gradle.properties',
    pattern: /^systemProp\.https\.proxyHost\s*=\s*(\S+)/m,
    says: 'a proxy for Gradle',
  },
  {
    path: '.yarnrc.yml',
    pattern: /^httpsProxy:\s*(\S+)/m,
    says: 'a proxy for yarn',
    unless: 'YARN_HTTPS_PROXY',
  },
  { path: '/etc/apt/apt.conf', pattern: /^\s*Acquire::https?::Proxy\s+"([^"]+)"/im, says: 'a proxy for apt' },
];

/** Those below HOME. */
export function overridingFilePaths(): readonly string[] {
  return overridingFilesTable.map(({ path }) => path).filter((path) => !path.startsWith('/'));
}

function overridingFiles({ environment, home, relay }: Scene): readonly Problem[] {
  return overridingFilesTable.flatMap(({ path, pattern, says, unless }) => {
    if (unless !== undefined && (environment[unless] ?? '') !== '') return [];
    const value = pattern.exec(
      readBounded(join(path.startsWith('/') ? '/' : home, path))?.toString('utf8') ?? '',
    )?.[1];
    if (value === undefined) return [];
    const named = relayAddressOf(value);
    if (relay !== undefined && named?.host === relay.host && named.port === relay.port) return [];
    const place = path.startsWith('/') ? path : `~/${path}`;
    return problem(
      'setting_overrides',
      `${place} sets ${says} (${withoutPassword(value)}), which goes over the session`,
      `take that line out of ${place}`,
    );
  });
}

function systemProblems(
  { systemBundle, relay, captured }: Scene,
  skewMs: number | undefined,
): readonly Problem[] {
  const problems: Problem[] = [];
  if (skewMs !== undefined && Math.abs(skewMs) > clockSkewMsMax)
    problems.push(
      ...problem(
        'clock_skew',
        `the clock is ${Math.round(Math.abs(skewMs) / 1000)} s ${skewMs > 0 ? 'behind' : 'before'} the gateway's`,
        'set the clock of the host of this container',
      ),
    );
  if (systemBundle === undefined && (relay !== undefined || captured))
    problems.push(
      ...problem(
        'no_system_bundle',
        'there is no bundle of the system, so what goes around the relay is not trusted',
        'install the package ca-certificates in the image',
      ),
    );
  return problems;
}

function problem(code: string, message: string, fix: string): readonly Problem[] {
  return [{ code, message, fix }];
}

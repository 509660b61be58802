// The gateway's configuration: read from one YAML file, checked whole, with defaults filled in and paths made absolute.

import { dirname, join, resolve } from 'node:path';
import { InvalidFilesError, type PolicyProblem } from '../../policy/problem.ts';
import { type Locate, readYaml, type YamlPath, type YamlSource } from '../../policy/yaml-source.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits, type Limits, limitsWith } from '../../protocol/limits.ts';
import { credentialSettings } from '../credentials/credential-kinds.ts';
import type { CredentialConfig } from '../credentials/credential-kinds.ts';
import type { PlainSourceConfig } from '../credentials/sources/source-config.ts';
import { type AdminSettings, adminSettings } from './admin-settings.ts';
import { type AdvisoriesSettings, advisoriesSettings } from './advisories-settings.ts';
import { type PackageTrustSettings, packageTrustSettings } from './package-trust-schema.ts';
import { checkConfigDocument } from './config-check.ts';
import { type GatewayConfigDocument, gatewayConfigSchema } from './config-schema.ts';
import { type DeciderSettings, decidersSettings } from './deciders-settings.ts';
import { type FileReference, missingFiles } from './missing-files.ts';
import { type IssuerSettings, issuerSettings } from './issuer-settings.ts';
import { identitySettings, type IdentitySettings } from './identity-settings.ts';
import type { DenialsDocument } from './denials-schema.ts';
import { callbacksSettings, type CallbacksSettings } from './callbacks-settings.ts';
import { cacheSettings, type CacheSetting } from './cache-settings.ts';
import { canarySettings } from './canaries-settings.ts';
import { exitFiles } from './exits-check.ts';
import { upstreamSettings, type UpstreamSettings } from './upstream-settings.ts';
import { type NoticeReceiver, noticesSettings } from './notices-settings.ts';
import { telemetrySettings, type TelemetrySettings } from './telemetry-settings.ts';
import { type ProxySettings, proxySettings } from './proxy-settings.ts';
import { type PeersSettings, peersSettings } from './peers-settings.ts';
import { type StoreSettings, storeSettings, storeUrlOf } from './store-settings.ts';

import { asList } from '../../policy/schema-parts.ts';
import { faultReason } from '../../protocol/fault-reason.ts';
import { readRegularFile } from '../../system/regular-file.ts';
import type { PolicyPlace } from './policy-place.ts';

/** Where the hosts of a tool come from: what a command prints, or a file; URLs or hosts, one a line. */
export type DiscoverySetting = { readonly command: readonly string[] } | { readonly file: string };

/** Everything that the gateway is told. Paths are absolute; nothing in it is a secret. */
export interface GatewayConfig extends StoreSettings, IdentitySettings, CacheSetting {
  readonly listen: {
    readonly address: string;
    readonly port: number;
    readonly proxyProtocol?: 'required' | 'refused';
  };
  /** Where clients without an agent come, if they may. */
  readonly proxy?: ProxySettings;
  /** Networks of balancers whose word on who is behind them is taken. */
  readonly trustedProxies: readonly string[];
  /** Processes that serve; auto: one for each core. */
  readonly workers: number | 'auto';
  readonly publicNames: readonly string[];
  /** Undefined: the public names, on the port of the gateway and on 443. */
  readonly publicOrigins?: readonly string[];
  readonly stateDirectory: string;
  /** Paths of PEM files, or a certificate that the gateway makes in its state directory. */
  readonly tls: 'self' | 'store' | { readonly certificate: string; readonly key: string };
  /** Files without a path: everything is denied. */
  readonly policy: PolicyPlace;
  readonly credentials: Readonly<Record<string, CredentialConfig>>;
  /** Planted values, by name. */
  readonly canaries: Readonly<Record<string, PlainSourceConfig>>;
  /** PEM files that rules pin, by name. */
  readonly trust: Readonly<Record<string, string>>;
  /** Systems that rules ask, by name. */
  readonly deciders: Readonly<Record<string, DeciderSettings>>;
  /** Tools of its own that groups of the policy can name under `discover`. */
  readonly discover: Readonly<Record<string, DiscoverySetting>>;
  readonly tokens: { readonly issuer: string; readonly audience: string; readonly ttlSeconds: number };
  readonly issuers: readonly IssuerSettings[];
  readonly upstream: UpstreamSettings;
  readonly audit: {
    readonly file?: string;
    readonly keepDays: number;
    readonly keepEvents?: number;
    readonly keepBytes: number;
  };
  /** Whether workloads may leave requests for access. */
  readonly access: { readonly enabled: boolean };
  /** What whoever is denied reads. */
  readonly denials?: DenialsDocument;
  /** Where /metrics is served, if at all. */
  readonly metrics?: { readonly address: string; readonly port: number };
  /** Where the admin API is served, if at all. */
  readonly admin?: AdminSettings;
  readonly telemetry?: TelemetrySettings;
  /** Who is told at once of what the audit has. */
  readonly notices?: readonly NoticeReceiver[];
  /** Where other systems send what people decided. */
  readonly callbacks?: CallbacksSettings;
  /** Where other gateways on the same store reach this one, if they do. */
  readonly peers?: PeersSettings;
  /** What is known against packages. */
  readonly advisories?: AdvisoriesSettings;
  /** Whose signatures about packages count. */
  readonly packageTrust?: PackageTrustSettings;
  /** File with prices of models. */
  readonly modelPrices?: string;
  readonly limits: Limits;
  readonly log: { readonly level: 'debug' | 'info' | 'warn' | 'error'; readonly format: 'text' | 'json' };
}

/** What a file that says nothing means. */
export const gatewayConfigDefaults = Object.freeze({
  address: '0.0.0.0',
  port: 8443,
  stateDirectory: '/var/lib/upstreamproxy',
  audience: 'upstreamproxy',
  ttlSeconds: 900,
  auditKeepDays: 90,
  auditKeepBytes: 8 * 1024 ** 3,
  /** A store in memory takes it from everything else. */
  auditKeepBytesInMemory: 128 * 1024 ** 2,
  algorithms: Object.freeze(['RS256', 'ES256', 'EdDSA']),
});

/** The configuration of a gateway that `run` starts for itself: loopback, a free port, observing unless told otherwise. */
export function embeddedConfig(
  stateDirectory: string,
  overrides: Partial<Omit<GatewayConfig, 'stateDirectory'>> = {},
): GatewayConfig {
  const directory = resolve(stateDirectory);
  return {
    ...completeConfig({}, directory, directory),
    listen: { address: '127.0.0.1', port: 0 },
    trustedProxies: [],
    workers: 1,
    publicNames: ['localhost', '127.0.0.1'],
    policy: { mode: 'observe', paths: [] },
    audit: {
      file: join(directory, 'audit.jsonl'),
      keepDays: gatewayConfigDefaults.auditKeepDays,
      keepBytes: gatewayConfigDefaults.auditKeepBytes,
    },
    log: { level: 'warn', format: 'text' },
    ...overrides,
  };
}

/**
 * Reads and checks the file, and that the files it names are there. Throws ProxyError `config_invalid`, whose message
 * has every problem on a line of its own as `file:line:column: error: what is wrong; what to write`.
 */
export async function loadGatewayConfig(file: string): Promise<GatewayConfig> {
  return (await loadWithPlaces(file)).config;
}

/** The same, with the place of each key, for whoever looks further than the start does. */
export async function loadWithPlaces(
  file: string,
): Promise<{ readonly config: GatewayConfig; readonly locate: Locate }> {
  const result = parseGatewayConfig({ file, text: await readBounded(file) }, dirname(resolve(file)));
  if ('problems' in result) throw new InvalidFilesError(result.problems);
  const missing = await missingFiles(result.references, file);
  if (missing.length > 0) throw new InvalidFilesError(missing);
  return result;
}

async function readBounded(file: string): Promise<string> {
  try {
    const text = await readRegularFile(file, defaultLimits.policyBytesMax);
    if (text === undefined) {
      throw new ProxyError(
        'config_invalid',
        `${file}: longer than ${defaultLimits.policyBytesMax} bytes; is it the right file?`,
      );
    }
    return text;
  } catch (error) {
    if (error instanceof ProxyError) throw error;
    throw new ProxyError(
      'config_invalid',
      `${file}: cannot be read: ${faultReason(error)}; give the path of a readable file`,
      {
        cause: error,
      },
    );
  }
}

export type ParseGatewayConfigResult =
  | {
      readonly config: GatewayConfig;
      readonly locate: Locate;
      readonly references: readonly FileReference[];
    }
  | { readonly problems: readonly PolicyProblem[] };

/** Checks the text of a configuration. Relative paths are resolved against `directory`; nothing is read. */
export function parseGatewayConfig(source: YamlSource, directory: string): ParseGatewayConfigResult {
  const result = readYaml(source, gatewayConfigSchema);
  if ('problems' in result) return result;
  const { value: document, locate } = result;
  const problems: PolicyProblem[] = [];
  checkConfigDocument(document, (path, message) => {
    problems.push({ file: source.file, ...locate(path), message, severity: 'error' });
  });
  if (problems.length > 0) return { problems };
  const stateDirectory = resolve(directory, document.stateDirectory ?? gatewayConfigDefaults.stateDirectory);
  const references = fileReferences(document).map(({ path, at }) => {
    const { line, column } = locate(at);
    return { path: resolve(directory, path), line, column };
  });
  return { config: completeConfig(document, directory, stateDirectory), locate, references };
}

function listenOf({ listen = {} }: GatewayConfigDocument): GatewayConfig['listen'] {
  const { address, port } = gatewayConfigDefaults;
  return {
    address: listen.address ?? address,
    port: listen.port ?? port,
    proxyProtocol: listen.proxyProtocol ?? 'refused',
  };
}

function auditSettings(
  { audit = {}, store }: GatewayConfigDocument,
  absolute: (path: string) => string,
): GatewayConfig['audit'] {
  const { auditKeepDays, auditKeepBytes, auditKeepBytesInMemory } = gatewayConfigDefaults;
  return {
    keepDays: audit.keepDays ?? auditKeepDays,
    keepBytes:
      audit.keepBytes ?? (storeUrlOf(store) === 'sqlite::memory:' ? auditKeepBytesInMemory : auditKeepBytes),
    ...(audit.file === undefined ? {} : { file: absolute(audit.file) }),
    ...(audit.keepEvents === undefined ? {} : { keepEvents: audit.keepEvents }),
  };
}

function completeConfig(
  document: GatewayConfigDocument,
  directory: string,
  stateDirectory: string,
): GatewayConfig {
  const defaults = gatewayConfigDefaults;
  const absolute = (path: string): string => resolve(directory, path);
  const publicNames = document.publicNames === undefined ? ['localhost'] : asList(document.publicNames);
  const { tls = 'self', tokens = {}, log } = document;
  return {
    listen: listenOf(document),
    ...proxySettings(document.proxy),
    trustedProxies: asList(document.trustedProxies),
    workers: document.workers ?? 1,
    ...reachedUnder(document, publicNames),
    stateDirectory,
    tls: typeof tls === 'string' ? tls : { certificate: absolute(tls.certificate), key: absolute(tls.key) },
    ...identitySettings(document, { absolute, stateDirectory }),
    ...storeSettings(document.store, { directory, stateDirectory }),
    ...cacheSettings(document, { absolute, stateDirectory }),
    policy: policySettings(document, absolute),
    credentials: mapped(document.credentials, (one) => credentialSettings(one, absolute)),
    canaries: canarySettings(document.canaries, absolute),
    trust: mapped(document.trust, ({ file }) => absolute(file)),
    deciders: decidersSettings(document.deciders, absolute),
    discover: mapped(document.discover, ({ command, file = '' }) =>
      command === undefined ? { file: absolute(file) } : { command },
    ),
    tokens: {
      issuer: tokens.issuer ?? `https://${publicNames[0] ?? 'localhost'}`,
      audience: tokens.audience ?? defaults.audience,
      ttlSeconds: tokens.ttlSeconds ?? defaults.ttlSeconds,
    },
    issuers: issuerSettings(document, { absolute, algorithms: defaults.algorithms }),
    upstream: upstreamSettings(document, absolute),
    ...(document.metrics === undefined
      ? {}
      : { metrics: { address: document.metrics.address ?? '127.0.0.1', port: document.metrics.port } }),
    ...peersSettings(document.peers),
    ...adminSettings(document, { absolute, socket: join(stateDirectory, 'admin', 'admin.sock') }),
    ...telemetrySettings(document.telemetry, absolute),
    ...noticesSettings(document, absolute),
    ...callbacksSettings(document.callbacks, absolute),
    ...advisoriesSettings(document.advisories, absolute),
    ...packageTrustSettings(document.packageTrust, absolute),
    ...(document.modelPrices === undefined ? {} : { modelPrices: absolute(document.modelPrices) }),
    audit: auditSettings(document, absolute),
    access: { enabled: document.access?.enabled ?? true },
    ...(document.denials === undefined ? {} : { denials: document.denials }),
    limits: limitsWith(document.limits),
    log: { level: log?.level ?? 'info', format: log?.format ?? 'text' },
  };
}

function mapped<In, Out>(
  map: Readonly<Record<string, In>> | undefined,
  of: (one: In) => Out,
): Readonly<Record<string, Out>> {
  return Object.fromEntries(Object.entries(map ?? {}).map(([name, one]) => [name, of(one)]));
}

function policySettings(
  { policy }: GatewayConfigDocument,
  absolute: (path: string) => string,
): GatewayConfig['policy'] {
  if (policy === 'observe' || policy === 'store') return { mode: policy, paths: [] };
  return { mode: 'files', paths: asList(policy).map(absolute) };
}

/** Files that must be there before the gateway starts. Secrets are left out: they may be mounted later. */
function fileReferences({
  admin,
  cache,
  callbacks,
  issuers,
  modelPrices,
  notices,
  packageTrust,
  store,
  telemetry,
  tls,
  upstream,
  policy,
  trust,
  deciders,
}: GatewayConfigDocument): { path: string; at: YamlPath }[] {
  const many = (value: string | readonly string[] | undefined, at: YamlPath) =>
    asList(value).map((path, i) => ({ path, at: typeof value === 'string' ? at : [...at, i] }));
  return [
    ...(typeof tls === 'object'
      ? [
          { path: tls.certificate, at: ['tls', 'certificate'] },
          { path: tls.key, at: ['tls', 'key'] },
        ]
      : []),
    ...many(modelPrices, ['modelPrices']),
    ...many(packageTrust?.sigstore, ['packageTrust', 'sigstore']),
    ...(typeof store === 'object' ? many(store.ca, ['store', 'ca']) : []),
    ...many(admin?.listen?.certificate, ['admin', 'listen', 'certificate']),
    ...many(admin?.listen?.key, ['admin', 'listen', 'key']),
    ...many(cache?.bucket?.ca, ['cache', 'bucket', 'ca']),
    ...many(callbacks?.listen.certificate, ['callbacks', 'listen', 'certificate']),
    ...many(callbacks?.listen.key, ['callbacks', 'listen', 'key']),
    ...many(admin?.oidc?.ca, ['admin', 'oidc', 'ca']),
    ...(issuers ?? []).flatMap(({ ca }, i) => many(ca, ['issuers', i, 'ca'])),
    ...many(upstream?.ca, ['upstream', 'ca']),
    ...many(telemetry?.otlp?.ca, ['telemetry', 'otlp', 'ca']),
    ...many(telemetry?.syslog?.ca, ['telemetry', 'syslog', 'ca']),
    ...Object.entries(notices ?? {}).flatMap(([name, { ca }]) => many(ca, ['notices', name, 'ca'])),
    ...many(upstream?.proxy?.ca, ['upstream', 'proxy', 'ca']),
    ...exitFiles(upstream?.exits).flatMap(({ paths, at }) => many(paths, at)),
    ...Object.entries(deciders ?? {}).flatMap(([name, { ca }]) => many(ca, ['deciders', name, 'ca'])),
    ...Object.entries(trust ?? {}).map(([name, { file }]) => ({ path: file, at: ['trust', name, 'file'] })),
    ...(policy === 'observe' || policy === 'store' ? [] : many(policy, ['policy'])),
  ];
}

/** Origins as URLs are compared: lower case, without the usual port and a slash. */
function reachedUnder(
  { publicOrigins }: GatewayConfigDocument,
  publicNames: readonly string[],
): Pick<GatewayConfig, 'publicNames' | 'publicOrigins'> {
  return publicOrigins === undefined
    ? { publicNames }
    : { publicNames, publicOrigins: asList(publicOrigins).map((url) => new URL(url).origin) };
}

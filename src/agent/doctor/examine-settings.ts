// What a client will do by its settings: whether it finds the relay, whether it trusts the gateway, and which setting says so.

import { join } from 'node:path';
import type { ClientRow, Condition, ProxySource, TrustSource } from './client-row.ts';
import type { RelayAddress } from './gateway-contact.ts';
import { type Authority, filesAt, fileState, readBounded } from './trust-evidence.ts';

/** What the examination knows of this container. */
export interface Scene {
  readonly environment: Readonly<Record<string, string>>;
  readonly home: string;
  readonly relay: RelayAddress | undefined;
  /** The gateway responds. */
  readonly reached: boolean;
  /** Connections are led to the gateway by the network. */
  readonly captured: boolean;
  /** Ports of raw TCP that lead nowhere, since no rule names them; known where connections are led. */
  readonly closedPorts?: ReadonlySet<number>;
  readonly authority: Authority;
  /** The system's PEM bundle; undefined where there is none. */
  readonly systemBundle: string | undefined;
  /** The bundle of the session, for the fixes. */
  readonly sessionBundle: string | undefined;
}

/** One half of what a client needs. */
export interface Finding {
  readonly holds: boolean;
  /** The variable or file that decides; what is instead, where none does. */
  readonly by: string;
  /** Why it does not hold. */
  readonly reason?: string;
}

/** Whether the client's connections come to the gateway. */
export function examineProxy(row: ClientRow, scene: Scene): Finding {
  const { port } = row;
  if (port !== undefined && scene.closedPorts?.has(port) === true)
    return { holds: false, by: 'no rule', reason: `no rule of the policy opens port ${port} (scheme: tcp)` };
  const missing: string[] = [];
  for (const source of row.proxy) {
    const finding = proxySource(source, scene);
    const goesOn = source.kind === 'variable' && source.part === true && finding?.holds !== false;
    if (finding !== undefined && !goesOn && (finding.holds || !scene.captured)) return finding;
    if (!goesOn) missing.push(nameOf(source));
  }
  // A client without a setting is led by the network, and one whose setting is not there too.
  if (scene.captured) return { holds: true, by: 'the network' };
  if (row.proxy.length === 0)
    return { holds: false, by: 'no setting', reason: 'it has no setting for a proxy' };
  return { holds: false, by: missing.join(', '), reason: `not set: ${missing.join(', ')}` };
}

function proxySource(source: ProxySource, scene: Scene): Finding | undefined {
  switch (source.kind) {
    case 'variable': {
      const { only, unless, names } = source;
      const fits = ({ name, pattern }: Condition): boolean => pattern.test(scene.environment[name] ?? '');
      if ((only !== undefined && !fits(only)) || (unless !== undefined && fits(unless))) return undefined;
      const name = names.find((one) => isSet(scene.environment[one]));
      if (name === undefined) return undefined;
      return pointsTo(name, scene.environment[name] ?? '', scene);
    }
    case 'options': {
      const match = source.pattern.exec(scene.environment[source.name] ?? '');
      return match === null ? undefined : pointsTo(source.name, `${match[1]}:${match[2]}`, scene);
    }
    case 'home': {
      const text = readBounded(join(scene.home, source.path))?.toString('utf8');
      if (text === undefined) return undefined;
      const by = `~/${source.path}`;
      if (source.pattern.test(text)) return { holds: true, by };
      return { holds: false, by, reason: `${by} is the user's own and names no relay` };
    }
  }
}

function pointsTo(by: string, value: string, { relay }: Scene): Finding {
  const found = relayAddressOf(value);
  if (relay !== undefined && found?.host === relay.host && found.port === relay.port)
    return { holds: true, by };
  return { holds: false, by, reason: `${by} names another proxy: ${withoutPassword(value)}` };
}

/** Host and port of `http://host:port` or `host:port`; undefined for what is neither. */
export function relayAddressOf(value: string): RelayAddress | undefined {
  const url = URL.parse(value.includes('://') ? value : `http://${value}`);
  if (url === null || url.protocol !== 'http:' || url.hostname === '') return undefined;
  return { host: url.hostname.replace(/^\[|\]$/g, ''), port: url.port === '' ? 80 : Number(url.port) };
}

/** Proxies of companies have a password in their URL, and reports are passed on. */
export function withoutPassword(value: string): string {
  // Clients take it without a scheme too, and with characters in the password that no URL has.
  return value.replace(/^([a-z][\w+.-]*:\/\/)?.*@/is, '$1…@').slice(0, 200);
}

/** Whether the client takes the certificates that the gateway makes. */
export function examineTrust(row: ClientRow, scene: Scene): Finding {
  if (row.trust === 'none') return { holds: true, by: 'speaks no TLS' };
  if (row.trust === 'unverified') return { holds: true, by: 'checks no certificate' };
  // Led by the network alone, it makes the TLS connection itself.
  const toRelay = examineProxy(row, { ...scene, captured: false }).holds;
  if (row.trust === 'relay' && toRelay) return { holds: true, by: 'leaves TLS to the relay' };
  if (!scene.reached)
    return { holds: false, by: 'nothing', reason: 'not known: the gateway does not respond' };
  const sources: readonly TrustSource[] = row.trust === 'relay' ? [{ kind: 'system' }] : row.trust;
  const looked: string[] = [];
  for (const source of sources) {
    const places = placesOf(source, scene);
    if (places === undefined) continue;
    const states = places.paths.map((path) => fileState(path, scene.authority));
    if (states.includes('trusts')) {
      if (source.kind === 'file' && source.part === true) continue;
      return { holds: true, by: places.by };
    }
    const missing = states.every((state) => state === 'missing');
    looked.push(
      missing ? `the file of ${places.by} is not there` : `${places.by} has not the gateway's certificate`,
    );
    if (!(source.kind === 'file' && source.adds === true)) break;
  }
  const names = sources.map(nameOf).join(', ');
  return { holds: false, by: names, reason: looked.at(-1) ?? `not set: ${names}` };
}

/** Where a source that is set leads; undefined if it is not set. */
function placesOf(source: TrustSource, scene: Scene): { by: string; paths: readonly string[] } | undefined {
  const { environment, home, systemBundle } = scene;
  switch (source.kind) {
    case 'file': {
      const value = environment[source.name];
      return isSet(value) ? { by: source.name, paths: [value] } : undefined;
    }
    case 'options': {
      const path = source.pattern.exec(environment[source.name] ?? '')?.[1];
      return path === undefined ? undefined : { by: source.name, paths: [path] };
    }
    case 'configuration': {
      const value = environment[source.name];
      if (!isSet(value)) return undefined;
      const places = value.split(':').map((place) => place.replace(/^~(?=\/)/, home));
      // Read one after the other, so the last that sets it counts.
      const named = places.flatMap((place) => settingsIn(place, source.pattern)).slice(-1);
      return named.length === 0 ? undefined : { by: source.name, paths: named };
    }
    case 'home':
      return placeOfFile(`~/${source.path}`, join(home, source.path), source.pattern);
    case 'fixed':
      return placeOfFile(source.path, source.path, source.pattern);
    case 'system':
      return systemBundle === undefined ? undefined : { by: systemBundle, paths: [systemBundle] };
  }
}

function placeOfFile(
  by: string,
  path: string,
  pattern: RegExp | undefined,
): { by: string; paths: readonly string[] } | undefined {
  if (readBounded(path) === undefined) return undefined;
  if (pattern === undefined) return { by, paths: [path] };
  const named = settingsIn(path, pattern);
  return named.length === 0 ? undefined : { by, paths: named };
}

/** What group 1 of the pattern finds last in a file, or in each file of a folder in the order of their names. */
function settingsIn(place: string, pattern: RegExp): readonly string[] {
  const every = new RegExp(pattern.source, `${pattern.flags}g`);
  return (filesAt(place) ?? []).flatMap((file) => {
    const text = readBounded(file)?.toString('utf8') ?? '';
    return [...text.matchAll(every)].flatMap(([, path]) => path ?? []).slice(-1);
  });
}

function isSet(value: string | undefined): value is string {
  return value !== undefined && value !== '';
}

function nameOf(source: ProxySource | TrustSource): string {
  switch (source.kind) {
    case 'variable':
      return source.only === undefined ? (source.names[0] ?? '') : source.only.name;
    case 'file':
    case 'options':
    case 'configuration':
      return source.name;
    case 'home':
      return `~/${source.path}`;
    case 'fixed':
      return source.path;
    case 'system':
      return 'the system store';
  }
}

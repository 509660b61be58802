// What the doctor knows of a client: how it finds a proxy, where it takes its trust from, and what proves both.

import type { ContainerTool } from './container-tools.ts';

/** Where a client reads its proxy; the first that is set decides. */
export type ProxySource =
  /**
   * Variables with the proxy's URL or `host:port`, in the client's order. `part`: a part of its requests reads them; where they are
   * set they have to be right, and what follows too.
   */
  | {
      readonly kind: 'variable';
      readonly names: readonly string[];
      readonly only?: Condition;
      readonly unless?: Condition;
      readonly part?: boolean;
    }
  /** A variable whose text has host and port in options: groups 1 and 2 of the pattern. */
  | { readonly kind: 'options'; readonly name: string; readonly pattern: RegExp }
  /** A file below HOME that has to show this. */
  | { readonly kind: 'home'; readonly path: string; readonly pattern: RegExp };

/** The source counts only where this variable has a value that fits, or unless it has. */
export interface Condition {
  readonly name: string;
  readonly pattern: RegExp;
}

/**
 * Where a client takes its trust from, in its order. The first that is set decides, but for those that add to what follows.
 */
export type TrustSource =
  /** A variable that names a PEM file, or a folder of such files. `part` as for proxies. */
  | { readonly kind: 'file'; readonly name: string; readonly adds?: boolean; readonly part?: boolean }
  /** A variable in whose text group 1 of the pattern is a key store. */
  | { readonly kind: 'options'; readonly name: string; readonly pattern: RegExp }
  /** A variable with a list of configuration files or folders, in which group 1 of the pattern names a PEM file. */
  | { readonly kind: 'configuration'; readonly name: string; readonly pattern: RegExp }
  /** A file below HOME: a database with the certificate in it, or text in which group 1 names a PEM file. */
  | { readonly kind: 'home'; readonly path: string; readonly pattern?: RegExp }
  /** A file at a fixed place with the certificate in it, or in which group 1 names a PEM file. */
  | { readonly kind: 'fixed'; readonly path: string; readonly pattern?: RegExp }
  /** The system's bundle. */
  | { readonly kind: 'system' };

/**
 * A real request, without effects. In arguments, variables and files `@url@` is the gateway's response to the doctor, `@status@` a
 * URL below which it responds with 418, `@word@` a word that no other run has, `@base@` where the gateway responds, `@temporary@` an
 * empty folder that is removed again.
 */
export interface ClientProof {
  /** The client itself if it is absent. A path if it has a slash. */
  readonly command?: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Made in the temporary folder, where the proof runs. */
  readonly files?: Readonly<Record<string, string>>;
  /** A file in the temporary folder that counts as output. */
  readonly output?: string;
  /** What must be in the output, all of it; default: the word as the gateway's response has it, which no echo of the URL can be. */
  readonly expect?: string | readonly string[];
  /** Another command that must be there, or there is no proof. */
  readonly needs?: string;
}

export interface ClientRow {
  readonly id: string;
  /** The first on PATH is taken. */
  readonly commands: readonly string[];
  /** One of these files is there as well, or it is no client: what speaks HTTP for it. */
  readonly speakers?: readonly string[];
  /** Empty: it is not asked. */
  readonly version: readonly string[];
  /** A library: the client is there only if the version command succeeds. */
  readonly library?: boolean;
  readonly proxy: readonly ProxySource[];
  /** `unverified`: the client checks no certificate. `relay`: it leaves TLS to the relay. `none`: it speaks no TLS. */
  readonly trust: readonly TrustSource[] | 'unverified' | 'relay' | 'none';
  readonly proof?: ClientProof;
  /** It makes containers, which the jail may refuse. */
  readonly containers?: ContainerTool;
  /** Of raw TCP, which a rule has to open; absent where it speaks TLS or HTTP. */
  readonly port?: number;
  /** What helps where a session's environment alone does not. */
  readonly fix?: Remedy;
}

/** Options of `run` and `agent` that make a client work. */
export type Remedy = 'home-files' | 'system-store' | 'capture';

export const environmentProxy: readonly ProxySource[] = [
  { kind: 'variable', names: ['https_proxy', 'HTTPS_PROXY'] },
];
/** What is for the other scheme counts where there is nothing for https, as libproxy and RubyGems read it. */
export const eitherProxy: readonly ProxySource[] = [
  { kind: 'variable', names: ['https_proxy', 'HTTPS_PROXY', 'http_proxy', 'HTTP_PROXY'] },
];
export const lowerCaseProxy: readonly ProxySource[] = [{ kind: 'variable', names: ['https_proxy'] }];
export const system: TrustSource = { kind: 'system' };

/** Variables with PEM files in the client's order, and then the system's bundle. */
export function files(...names: readonly string[]): readonly TrustSource[] {
  return [...names.map((name): TrustSource => ({ kind: 'file', name })), system];
}

/** Nothing but a network that leads to the gateway helps: the client has no setting for a proxy. */
export const noProxySetting: Pick<ClientRow, 'proxy' | 'fix'> = { proxy: [], fix: 'capture' };

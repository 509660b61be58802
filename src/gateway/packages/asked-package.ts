// Whom a registry is asked for, of a package that a request is about.

import type { AllowDecision, DecidedPackage, RequestAccess } from '../../policy/decision.ts';
import type { RegistryRoot } from '../../policy/known-package.ts';
import type { AskedPackage } from './publish-times.ts';

/** At the root that the rule names, or else at the host of the request. */
function rootOf(
  { root }: Pick<DecidedPackage, 'root'>,
  { destination }: Pick<RequestAccess, 'destination'>,
): RegistryRoot {
  const { scheme, host, port } = destination;
  return root ?? { scheme: scheme === 'http' ? 'http' : 'https', host, port, path: '' };
}

/** By what a registry tells when it came out. */
export const agedAs = ({ file, version }: Pick<DecidedPackage, 'file' | 'version'>): string =>
  file ?? version ?? '';

export function askedOf(
  fetched: DecidedPackage,
  access: Pick<RequestAccess, 'destination'>,
  credentials: readonly string[],
): AskedPackage {
  const { registry, name, written = name } = fetched;
  return { registry, root: rootOf(fetched, access), name, written, credentials };
}

/** What is promised of an archive, and of which package. */
export interface PromisedPackage {
  /** As `sha512-…` with base64. */
  readonly digest: string;
  /** When that came out, as far as it is known. */
  readonly publishedMs?: number | undefined;
  /** Clients run something of it when they install it, as its registry says; absent: nobody asked. */
  readonly hasInstallScript?: boolean;
  readonly asked: AskedPackage;
}

/** Fields by which no registry tells one client of other packages than the next. */
const plainFields: ReadonlySet<string> = new Set([
  'accept',
  'accept-encoding',
  'accept-language',
  'cache-control',
  'cargo-protocol',
  'connection',
  'docker-distribution-api-version',
  'host',
  'if-modified-since',
  'if-none-match',
  'npm-auth-type',
  'npm-command',
  'npm-in-ci',
  'npm-scope',
  'npm-session',
  'pacote-integrity',
  'pacote-pkg-id',
  'pacote-req-type',
  'pacote-version',
  'pragma',
  'range',
  'sec-fetch-mode',
  'te',
  'user-agent',
]);

/** Whether what comes is what everybody is told who asks with the credentials of the rule. */
export function isAskedPlainly({ headers, query }: Pick<RequestAccess, 'headers' | 'query'>): boolean {
  return query === '' && headers.lowerCaseNames.every((name) => plainFields.has(name));
}

/** What the registry is asked with, by name. */
export const credentialsOf = ({ inject }: Pick<AllowDecision, 'inject'>): readonly string[] =>
  inject.map(({ credential }) => credential);

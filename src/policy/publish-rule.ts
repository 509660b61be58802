// `publish` of a rule about packages: which packages may be published, or changed, at a registry.

import {
  type PackageRegistry,
  type PackageRequest,
  type PublishOperation,
  UnreadablePackage,
} from '../understand/packages/package-request.ts';
import type { RequestAccess } from './decision.ts';
import { type NamedRegistry, sourceOf } from './known-package.ts';
import type { MatchingWork } from './matching-work.ts';
import { inRange, namesPackage, type PackagePattern } from './package-pattern.ts';

/** Plain data. */
export interface PublishCondition {
  readonly allow: readonly PackagePattern[];
  readonly operations: readonly PublishOperation[];
}

/** What is published, as far as it is known; `awaits`: the body says the rest, and nobody has read it. */
export type PublishRequest = Pick<PackageRequest, 'name' | 'version' | 'operation' | 'from' | 'digest'> & {
  readonly awaits?: true;
};

/** Undefined: it would not publish. */
export function publishRequestOf(
  registry: NamedRegistry,
  read: PackageRequest | UnreadablePackage,
  { body, publication, destination }: RequestAccess,
): PublishRequest | UnreadablePackage | undefined {
  if (read instanceof UnreadablePackage) return read;
  if (read.use !== 'publish') return undefined;
  if (body?.kind === 'unreadable' && body.webSocket !== undefined)
    return new UnreadablePackage('opens a WebSocket');
  if (read.bodySays === undefined) return read;
  if (publication?.source === sourceOf(registry, destination)) return publication.read;
  const isUnread = publication === undefined && body === undefined;
  return isUnread
    ? { ...read, awaits: true }
    : new UnreadablePackage('has no body in which it says what it publishes');
}

/** Whether the rule lets it through; while its body is not read, whether it could. */
export function allowsPublishing(
  { allow, operations }: PublishCondition,
  { name, version, operation, from, awaits }: PublishRequest,
  registry: PackageRegistry,
  work: MatchingWork,
): boolean {
  const isPending = awaits === true;
  const isMeant = operation === undefined ? isPending : operations.includes(operation);
  const isRead = from === undefined || allow.some((one) => namesPackage(one, from, work));
  if (!isMeant || !isRead) return false;
  if (name === undefined) return isPending;
  return allow.some((one) => {
    if (!namesPackage(one, name, work)) return false;
    if (version === undefined) return isPending || one.range === undefined;
    return inRange(one, version, registry, work) === true;
  });
}

/** Whether nothing is let through by `inner` that `outer` would refuse, with how their patterns cover each other. */
export function publishCovers(
  outer: PublishCondition,
  inner: PublishCondition,
  isIn: (one: PackagePattern, others: readonly PackagePattern[]) => boolean,
): boolean {
  return (
    inner.operations.every((one) => outer.operations.includes(one)) &&
    inner.allow.every((one) => isIn(one, outer.allow))
  );
}

/** Why the rule does not let it through, as the end of a sentence that begins with the rule. */
export function publishProblem(
  { allow, operations }: PublishCondition,
  asked: PublishRequest | UnreadablePackage | undefined,
): string {
  if (asked === undefined) return 'the request publishes nothing, and the rule is about that alone';
  if (asked instanceof UnreadablePackage) return `the request ${asked.reason}`;
  const { name, version, operation, from } = asked;
  if (operation === undefined && asked.awaits === undefined)
    return 'the request changes something at the registry that no rule allows';
  if (operation !== undefined && !operations.includes(operation))
    return `${operation} is not in its operations (${operations.join(', ')})`;
  const names = allow.slice(0, 5).map(({ source }) => source);
  const what = version === undefined ? (name ?? 'the package') : `${name ?? ''}@${version}`;
  const taken = from === undefined ? '' : `, or ${from}, of which it takes a blob,`;
  return `${what}${taken} is not in what it lets be published (${names.join(', ')})`;
}

export const publishText = ({ allow, operations }: PublishCondition): string =>
  `publish ${allow.map(({ source }) => source).join(', ')}${operations.join() === 'publish' ? '' : ` (${operations.join(', ')})`}`;

/** The operations that bodies of its registry can be read for. */
export const operationsOf: Readonly<Partial<Record<PackageRegistry, readonly PublishOperation[]>>> = {
  npm: ['publish', 'tag', 'deprecate', 'unpublish'],
  pypi: ['publish'],
  cargo: ['publish', 'yank', 'unyank', 'owners'],
  oci: ['publish', 'unpublish'],
};

// What of a request rules look at that is not there yet.

import type { AccessRequest, AllowDecision, AwaitedPart } from './decision.ts';
import { awaitsCommands } from './git-rule.ts';
import type { NamedRegistry } from './known-package.ts';
import { awaitedOfPackage } from './package-rule.ts';
import { awaitedOf, type Rule } from './rule.ts';

export const noParts: ReadonlySet<AwaitedPart> = new Set();

/** By what a rule says of why it does not match. */
export const unreadParts: ReadonlyMap<string, AwaitedPart> = new Map([
  ['unread', 'git-commands'],
  ['unread-body', 'body'],
  ['unread-graphql', 'graphql'],
  ['unread-publication', 'publication'],
]);

export interface Awaiting {
  readonly allow: Rule | undefined;
  /** Rules that deny look at what is not there yet. */
  readonly unread: ReadonlySet<AwaitedPart>;
  /** The same of rules on trial. */
  readonly unreadOnTrial: ReadonlySet<AwaitedPart>;
  /** As which registry a rule that denies has to know what is published. */
  readonly publishesAt: NamedRegistry | undefined;
}

/**
 * What is read of a body, in the order in which it is: what is published has a form of its own; operations of GraphQL are read from the body,
 * and that costs nothing where the request is a push.
 */
const bodyParts = ['publication', 'graphql', 'body'] as const;
/** This one object, so that who gets it sees that there is no more to it. */
export const awaitsNothing = {};

/** What has to be read, or asked for, before the decision is made again. */
export function awaitedBy(
  { allow, unread, unreadOnTrial, publishesAt }: Awaiting,
  access: AccessRequest,
  nowMs: number,
): Pick<AllowDecision, 'awaits' | 'awaitsOnTrial' | 'awaitsOf'> {
  const ofAllow = allow === undefined ? [] : awaitedOf(allow, access);
  const isEnforced = allow?.mode === 'enforce';
  const readAs = (ofAllow.includes('publication') ? allow?.packages : undefined) ?? publishesAt;
  const ofRegistry = (part: AwaitedPart): Pick<AllowDecision, 'awaitsOf'> =>
    part !== 'publication' || readAs === undefined
      ? awaitsNothing
      : { awaitsOf: { registry: readAs.registry, root: readAs.root } };
  const enforced = bodyParts.find((part) => unread.has(part) || (isEnforced && ofAllow.includes(part)));
  if (enforced !== undefined) return { awaits: enforced, ...ofRegistry(enforced) };
  const onTrial = bodyParts.find((part) => unreadOnTrial.has(part) || ofAllow.includes(part));
  if (onTrial !== undefined) return { awaits: onTrial, awaitsOnTrial: true, ...ofRegistry(onTrial) };
  const isPush =
    unread.has('git-commands') || unreadOnTrial.has('git-commands') || awaitsCommands(allow?.git, access);
  if (isPush) return { awaits: 'git-commands' };
  return awaitedOfPackage(allow?.packages, access, nowMs) ?? awaitsNothing;
}

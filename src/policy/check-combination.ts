// Keys of a rule that go together, and those that do not.

import type { RuleDocument } from './policy-schema.ts';
import type { Rule } from './rule.ts';
import { asList } from './schema-parts.ts';
import type { Report } from './yaml-source.ts';

/** Limits of what is inside of a connection. */
const uncountable = [
  'requestsPerSecond',
  'requestsPerSession',
  'bodyBytes',
  'bytesOutPerSession',
  'urlsPerSession',
  'urlBytesPerSession',
] as const;

/** They say what becomes of requests that are let through. */
const ofAllowing = [
  'protocol',
  'postgres',
  'mysql',
  'redis',
  'ssh',
  'inject',
  'requestFields',
  'tls',
  'trust',
  'addresses',
  'exit',
  'dns',
  'bodies',
  'homeCredentials',
  'logIn',
  'trace',
  'capture',
  'leaks',
  'ask',
  'screen',
  'rewrite',
  'decide',
  'limits',
  'require',
] as const;

/** They look at, or change, what is inside of a connection. */
const ofRequests = [
  'methods',
  'paths',
  'git',
  'mcp',
  'graphql',
  'llm',
  'packages',
  'when',
  'inject',
  'requestFields',
  'bodies',
  'homeCredentials',
  'logIn',
  'trace',
  'capture',
  'leaks',
  'ask',
  'screen',
  'rewrite',
  'decide',
  'trust',
] as const;

/** They say with what the gateway logs in, where it ends the protocol. */
const ofLogins: ReadonlySet<string> = new Set(['inject', 'trust']);

/** Keys that say nothing, or promise what cannot be kept, beside another key. */
export function checkCombination(
  document: RuleDocument,
  effect: Rule['effect'],
  handling: Rule['handling'],
  report: Report,
): void {
  if (effect === 'deny') {
    for (const key of ofAllowing) {
      if (document[key] !== undefined)
        report([key], `"${key}" has no meaning in a rule that denies; remove it, or remove "deny"`);
    }
  }
  if (handling !== 'intercept') {
    const what =
      document.protocol !== undefined
        ? 'there are no requests of HTTP in it'
        : handling === 'raw'
          ? 'raw TCP is not looked into'
          : 'passthrough leaves TLS closed';
    for (const key of ofRequests) {
      if (document[key] !== undefined && !(document.protocol !== undefined && ofLogins.has(key)))
        report([key], `${what}, so "${key}" cannot be kept; remove it, or let the gateway intercept`);
    }
    for (const key of uncountable) {
      if (document.limits?.[key] !== undefined) {
        report(['limits', key], `${what}, so requests cannot be counted; use bytesPerSession`);
      }
    }
    if (document.mode !== undefined)
      report(['mode'], `${what}, so there is nothing to observe; remove "mode"`);
  }
  if (document.tls !== undefined && handling === 'raw')
    report(['tls'], 'raw TCP is never opened; remove "tls"');
  if (isPassthrough(document) && asList(document.scheme).includes('http')) {
    report(['tls'], 'passthrough is for TLS; write scheme: https');
  }
}

/** Whether its TLS is not opened. */
export function isPassthrough({ tls }: RuleDocument): boolean {
  return tls === 'passthrough' || typeof tls === 'object';
}

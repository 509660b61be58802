// `protocol` of a rule as it is written, to how its connections are ended.

import { compileMysql } from './compile-mysql.ts';
import { compilePostgres } from './compile-postgres.ts';
import { compileRedis } from './compile-redis.ts';
import type { RuleDocument } from './policy-schema.ts';
import { compileSsh } from './compile-ssh.ts';
import { type ProtocolEnd, protocolPorts } from './protocol-rule.ts';
import { asList } from './schema-parts.ts';
import type { Report } from './yaml-source.ts';

interface ProtocolContext {
  readonly effect: 'allow' | 'deny';
  /** Names of credentials that log in to something, with a password. */
  readonly logins: ReadonlySet<string>;
  /** The same, with a key of SSH. */
  readonly sshKeys: ReadonlySet<string>;
  /** Undefined if the credentials are not known here. */
  readonly credentials: ReadonlySet<string> | undefined;
  readonly report: Report;
}

/** Keys that say more about one protocol; each goes with that one alone. */
const ownKeys: readonly ProtocolEnd['protocol'][] = ['postgres', 'mysql', 'redis', 'ssh'];

export function compileProtocol(document: RuleDocument, context: ProtocolContext): ProtocolEnd | undefined {
  const { report, effect } = context;
  const { protocol } = document;
  for (const key of ownKeys)
    if (document[key] !== undefined && protocol !== key)
      report([key], `"${key}" goes with protocol: ${key}; write that too`);
  if (protocol === undefined) {
    checkNoLogin(document, context);
    return undefined;
  }
  if (effect === 'deny') return undefined;
  if (asList(document.scheme).some((scheme) => scheme !== 'tcp'))
    report(['scheme'], `protocol: ${protocol} is spoken over TCP; remove "scheme"`);
  checkLogin(protocol, document.inject, context);
  switch (protocol) {
    case 'postgres':
      return compilePostgres(document, report);
    case 'mysql':
      return compileMysql(document);
    case 'redis':
      return compileRedis(document);
    case 'ssh':
      return compileSsh(document, report);
  }
}

function checkLogin(
  protocol: ProtocolEnd['protocol'],
  inject: RuleDocument['inject'],
  { logins, sshKeys, credentials, report }: ProtocolContext,
): void {
  const kind = protocol === 'ssh' ? 'ssh-key' : 'login';
  const names = asList(inject);
  const [name] = names;
  if (name === undefined || names.length > 1) {
    report(
      inject === undefined ? ['protocol'] : ['inject'],
      `a rule with protocol: ${protocol} logs in with one credential; write inject: with the name of one of kind ${kind}`,
    );
    return;
  }
  if (credentials?.has(name) === true && !(protocol === 'ssh' ? sshKeys : logins).has(name))
    report(
      ['inject'],
      `the credential ${name} is of another kind; protocol: ${protocol} needs one of kind ${kind}`,
    );
}

function checkNoLogin({ inject }: RuleDocument, { logins, sshKeys, report }: ProtocolContext): void {
  const login = asList(inject).find((name) => logins.has(name) || sshKeys.has(name));
  if (login !== undefined)
    report(
      ['inject'],
      `the credential ${login} is of kind ${logins.has(login) ? 'login' : 'ssh-key'}, which is put on no request; it goes with "protocol"`,
    );
}

/** Ports of a rule, or that of its protocol. */
export function writtenPorts(
  { ports, protocol }: RuleDocument,
  effect: 'allow' | 'deny',
): ReadonlySet<number> | undefined {
  if (ports !== undefined) return new Set(asList(ports));
  return protocol === undefined || effect === 'deny' ? undefined : new Set([protocolPorts[protocol]]);
}

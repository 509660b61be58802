// What `run` says once the session stands: what it allows, where it can be looked up, and how it ends.

import type { EmbeddedGateway } from './embedded-gateway.ts';

export interface SessionNoteOptions {
  /** Of a gateway of its own. */
  readonly embedded: Pick<EmbeddedGateway, 'auditFile' | 'policy'> | undefined;
  /** Of another one. */
  readonly gatewayUrl: string | undefined;
  /** The configuration of a gateway of its own. */
  readonly config: string | undefined;
}

const ending = 'It ends with the command (exit, in a shell).';

/** One line. */
export function sessionNote({ embedded, gatewayUrl, config }: SessionNoteOptions): string {
  if (embedded === undefined)
    return `upstreamproxy: the session stands; the gateway ${gatewayUrl ?? ''} decides and has the audit. ${ending}\n`;
  const audit = `Audit: ${embedded.auditFile}. ${ending}`;
  switch (embedded.policy) {
    case 'files':
      return `upstreamproxy: the session stands. ${audit}\n`;
    case 'observe':
      return `upstreamproxy: the session stands without a policy: public destinations are allowed and recorded. ${audit}\n`;
    case 'none':
      return `upstreamproxy: every request will be refused, for ${config ?? 'the configuration'} names no policy: add --policy FILE, or policy: FILE to it. ${audit}\n`;
  }
}

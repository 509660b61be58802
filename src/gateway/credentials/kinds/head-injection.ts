// How a secret is put on a request head. The client's own value of the field or parameter is always replaced.

import { Buffer } from 'node:buffer';
import type { RequestHead } from '../../../http/message-head.ts';
import { Secret } from '../../../protocol/secret.ts';
import type { BodyFacts } from '../request/body-rewrite.ts';
import { asFieldValue } from '../request/field-value.ts';
import type { Injected } from '../request/injected.ts';
import type { CredentialSource } from '../sources/credential-source.ts';
import type { Credential } from './credential-kind.ts';

export interface HeadInjector {
  /** Absent: every request gets it. Where it says no, the request passes as it is and no source is asked. */
  applies?(head: RequestHead, body: BodyFacts | undefined): boolean;
  /** `body` is undefined if the request has none. */
  inject(
    head: RequestHead,
    secret: Secret<string>,
    body: BodyFacts | undefined,
  ): Unsearched | Promise<Unsearched>;
  /** What responses are searched for beside the secret itself. */
  readonly alsoSearched?: (secret: Secret<string>) => readonly Secret<string>[];
}

type Unsearched = Omit<Injected, 'values'>;

/** What the source has, put on by the injector. */
export function injecting(source: CredentialSource, injector: HeadInjector): Credential {
  const valuesOf = (secret: Secret<string>): readonly Secret<string>[] => [
    secret,
    ...(injector.alsoSearched?.(secret) ?? []),
  ];
  return {
    applies: (head, body) => injector.applies?.(head, body) ?? true,
    values: async (nowMs) => valuesOf(await source.read(nowMs)),
    apply: async (head, nowMs, body) => {
      const secret = await source.read(nowMs);
      const injected = await injector.inject(head, secret, body);
      return {
        ...injected,
        values: valuesOf(secret),
        onRejected: (rejectedMs) => source.reject?.(secret, rejectedMs),
      };
    },
  };
}

export const bearerInjector: HeadInjector = {
  inject: (head, secret) =>
    withField(head, { name: 'authorization', value: `Bearer ${asFieldValue(secret.reveal())}` }),
};

export function basicInjector(username: string): HeadInjector {
  const pairOf = (secret: Secret<string>): string =>
    Buffer.from(`${username}:${secret.reveal()}`).toString('base64');
  return {
    inject: (head, secret) => withField(head, { name: 'authorization', value: `Basic ${pairOf(secret)}` }),
    alsoSearched: (secret) => [new Secret(pairOf(secret))],
  };
}

export function fieldInjector(name: string, prefix = ''): HeadInjector {
  return {
    inject: (head, secret) => withField(head, { name, value: `${prefix}${asFieldValue(secret.reveal())}` }),
  };
}

function withField(
  head: RequestHead,
  { name, value }: { readonly name: string; readonly value: string },
): Unsearched {
  return { head: { ...head, headers: head.headers.withoutAlike(name).with(name, value) } };
}

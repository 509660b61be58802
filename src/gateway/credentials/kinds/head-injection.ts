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
  ): Injected | Promise<Injected>;
}

/** What the source has, put on by the injector. */
export function injecting(source: CredentialSource, injector: HeadInjector): Credential {
  return {
    applies: (head, body) => injector.applies?.(head, body) ?? true,
    apply: async (head, nowMs, body) => {
      const secret = await source.read(nowMs);
      const injected = await injector.inject(head, secret, body);
      return { ...injected, onRejected: (rejectedMs) => source.reject?.(secret, rejectedMs) };
    },
  };
}

export const bearerInjector: HeadInjector = {
  inject: (head, secret) =>
    withField(head, { name: 'authorization', value: `Bearer ${asFieldValue(secret.reveal())}` }, [secret]),
};

export function basicInjector(username: string): HeadInjector {
  return {
    inject: (head, secret) => {
      const pair = Buffer.from(`${username}:${secret.reveal()}`).toString('base64');
      return withField(head, { name: 'authorization', value: `Basic ${pair}` }, [secret, new Secret(pair)]);
    },
  };
}

export function fieldInjector(name: string, prefix = ''): HeadInjector {
  return {
    inject: (head, secret) =>
      withField(head, { name, value: `${prefix}${asFieldValue(secret.reveal())}` }, [secret]),
  };
}

function withField(
  head: RequestHead,
  { name, value }: { readonly name: string; readonly value: string },
  values: readonly Secret<string>[],
): Injected {
  return { head: { ...head, headers: head.headers.withoutAlike(name).with(name, value) }, values };
}

// What a policy is asked about where the gateway is to sign: that, and none of the request that it came in.

import { HeaderList } from '../http/header-list.ts';
import type { RequestAccess } from './decision.ts';
import { accessHost, signPath } from './granted-policy.ts';
import type { Signable } from './sign-condition.ts';

export function signingAccess<Signed extends Signable>(
  signs: Signed,
): RequestAccess & { readonly signs: Signed } {
  return {
    depth: 'request',
    destination: { scheme: 'https', host: accessHost, port: 443 },
    method: 'POST',
    path: signPath,
    query: '',
    headers: new HeaderList(),
    signs,
  };
}

/** Whether it is how the gateway is asked to sign. */
export function asksToSign({ method, destination: { host }, path }: RequestAccess): boolean {
  return method === 'POST' && host === accessHost && path === signPath;
}

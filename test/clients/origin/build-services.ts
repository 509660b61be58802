// Services of build tools: a remote cache as turbo has it, and the status that sentry-cli asks for.

import type { OriginHandler } from './handler.ts';
import { binary } from './handler.ts';

const artifactsMax = 1000;

export function turboCache(): OriginHandler {
  const artifacts = new Map<string, Buffer>();
  return ({ method, path, body }) => {
    const [, name = ''] = /^\/v8\/artifacts\/([\w-]+)$/.exec(path) ?? [];
    if (name === 'status') return { body: { status: 'enabled' } };
    if (name === 'events') return { body: {} };
    if (method === 'PUT' && name !== '' && artifacts.size < artifactsMax) {
      artifacts.set(name, body);
      return { status: 202, body: { urls: [] } };
    }
    const stored = artifacts.get(name);
    return stored === undefined ? undefined : binary(stored);
  };
}

export const sentryStatus: OriginHandler = ({ path }) =>
  path === '/api/0/'
    ? {
        body: {
          version: '0',
          user: { id: '1', email: 'hello-from-sentry@example.com' },
          auth: { scopes: ['org:read'] },
        },
      }
    : undefined;

// A server of the Model Context Protocol over HTTP, as far as a client needs it to begin.

import type { OriginHandler } from './handler.ts';

export const contextServer: OriginHandler = ({ method, path, body }) => {
  if (path !== '/mcp') return undefined;
  // It has nothing to say on its own.
  if (method !== 'POST') return { status: 405 };
  const message = JSON.parse(body.toString('utf8')) as { id?: number; params?: { protocolVersion?: string } };
  if (message.id === undefined) return { status: 202 };
  const result = {
    protocolVersion: message.params?.protocolVersion ?? '2025-03-26',
    capabilities: {},
    serverInfo: { name: 'hello from mcp', version: '1.0.0' },
  };
  return { body: { jsonrpc: '2.0', id: message.id, result } };
};

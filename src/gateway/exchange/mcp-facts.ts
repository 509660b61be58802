// What the audit says of a message of the Model Context Protocol.

import type { McpFacts } from '../../api/audit-facts.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { McpMessage } from '../../understand/mcp-message.ts';

export function mcpFacts({ method, target }: McpMessage): McpFacts {
  const shown = (text: string): string =>
    text.slice(0, defaultLimits.auditedNameCharactersMax).toWellFormed();
  return {
    method: shown(method),
    ...(target === undefined ? {} : { [target.kind]: shown(target.name) }),
  };
}

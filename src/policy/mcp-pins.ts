// Tools that a rule knows by what the server says of them: a hash of the whole definition, so that a tool which is described
// anew, or takes other arguments, is not the one that was approved.

/** What the gateway knows of how the server defines a tool. */
export type ToolDefinition =
  /** As the last list in this session had it. */
  | { readonly kind: 'listed'; readonly digest: string }
  /** One list had it in several ways, so no pin can say which one is called. */
  | { readonly kind: 'differing' }
  /** Of a question about what could be asked. */
  | { readonly kind: 'any' };

/** By the exact name of the tool: `sha256:` and 64 hex digits. */
export type ToolPins = Readonly<Record<string, string>>;

/** `isBeforeList`: what is not known yet may be called. */
export interface PinCondition {
  readonly pins: ToolPins | undefined;
  readonly isBeforeList: boolean;
}

/** Undefined: the rule has no pin for it, so that it is not approved under any definition. */
function pinOf({ pins }: PinCondition, tool: string): string | undefined {
  return pins !== undefined && Object.hasOwn(pins, tool) ? pins[tool] : undefined;
}

/** Whether the server defines the tool as it was approved, as far as that is known. */
export function isPinned(condition: PinCondition, tool: string, known: ToolDefinition | undefined): boolean {
  const pin = pinOf(condition, tool);
  if (pin === undefined) return false;
  switch (known?.kind) {
    case undefined:
      return condition.isBeforeList;
    case 'listed':
      return known.digest === pin;
    case 'differing':
      return false;
    case 'any':
      return true;
  }
}

/** Why a call of a pinned tool is held, as a sentence; the workload reads it. */
export function pinProblem(rule: string, known: ToolDefinition | undefined): string {
  switch (known?.kind) {
    case 'listed':
      return `The rule ${rule} has a pin for this tool, and the server defines it in another way now (${known.digest}). The owner of the policy has to look at the change and pin it anew.`;
    case 'differing':
      return `The rule ${rule} has a pin for this tool, and the server defines it in several ways at once.`;
    case 'any':
    case undefined:
      return `The rule ${rule} has a pin for this tool, and no list of the server's tools was seen in this session yet: ask for tools/list first, as by connecting to the server again.`;
  }
}

/** What outer pins allow that inner ones do too: the same tools in the same definition, or fewer. */
export function pinsCover(outer: PinCondition, inner: PinCondition): boolean {
  if (outer.pins === undefined) return true;
  if (inner.pins === undefined || (inner.isBeforeList && !outer.isBeforeList)) return false;
  return Object.entries(inner.pins).every(([tool, pin]) => pinOf(outer, tool) === pin);
}

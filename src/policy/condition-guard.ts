// What a condition needs to be true at all, read from its syntax: by it the index leaves out rules without asking them.

import type { ASTNode } from '@marcbachmann/cel-js';

/**
 * One comparison with texts that the whole condition is false without, whatever else it says: CEL's `&&` is false if one side
 * is, though the other one faults. `subject` is `method`, `host`, `path` or `claims.NAME`. A claim that is no text says nothing.
 */
export interface ConditionGuard {
  readonly subject: string;
  /** `prefix`: the subject begins with the text. */
  readonly kind: 'equals' | 'prefix';
  readonly texts: readonly string[];
}

/** Of several, the one by which rules usually differ most. */
const preference = ['claims.', 'path', 'host', 'method'] as const;

/** The guard of a condition; undefined if none is seen. */
export function guardOf(node: ASTNode): ConditionGuard | undefined {
  const guards = conjuncts(node).flatMap((one) => comparison(one) ?? []);
  const rank = ({ subject, kind }: ConditionGuard): number =>
    2 * preference.findIndex((start) => subject.startsWith(start)) + (kind === 'equals' ? 0 : 1);
  return guards.toSorted((a, b) => rank(a) - rank(b))[0];
}

function conjuncts(node: ASTNode): readonly ASTNode[] {
  if (node.op !== '&&') return [node];
  return node.args.flatMap(conjuncts);
}

function comparison(node: ASTNode): ConditionGuard | undefined {
  switch (node.op) {
    case '==': {
      const [left, right] = node.args;
      return guarded(left, [right], 'equals') ?? guarded(right, [left], 'equals');
    }
    case 'in': {
      const [item, list] = node.args;
      return list.op === 'list' ? guarded(item, list.args, 'equals') : undefined;
    }
    case 'rcall': {
      const [name, receiver, values] = node.args;
      return name === 'startsWith' && values.length === 1 ? guarded(receiver, values, 'prefix') : undefined;
    }
    default:
      return undefined;
  }
}

function guarded(
  node: ASTNode,
  values: readonly ASTNode[],
  kind: ConditionGuard['kind'],
): ConditionGuard | undefined {
  const subject = subjectOf(node);
  const texts = values.flatMap((one) =>
    one.op === 'value' && typeof one.args === 'string' ? [one.args] : [],
  );
  // What begins with a text is looked up for paths alone.
  if (subject === undefined || texts.length < values.length || (kind === 'prefix' && subject !== 'path'))
    return undefined;
  return { subject, kind, texts };
}

function subjectOf(node: ASTNode): string | undefined {
  if (node.op !== '.' && node.op !== '[]') return undefined;
  const [of, key] = node.args;
  const name = typeof key === 'string' ? key : key.op === 'value' ? key.args : undefined;
  if (of.op !== 'id' || typeof name !== 'string') return undefined;
  if (of.args === 'claims') return `claims.${name}`;
  return of.args === 'request' && ['method', 'host', 'path'].includes(name) ? name : undefined;
}

// A command of the program: its definition, and what it does with a command line that fits.

import type {
  CommandDefinition,
  Definition,
  GroupDefinition,
  Input,
} from '../definition/command-definition.ts';
import { parseCommand, parseGroup } from '../definition/parse-arguments.ts';

/** One command of the program; each has a file of its own. */
export interface Command {
  readonly definition: Definition;
  /** Runs to the end and gives the exit code; throws ProxyError. */
  run(args: readonly string[]): Promise<number>;
}

type Action<D extends CommandDefinition> = (input: Input<D>) => Promise<number>;

/** A command that gets what its definition says. */
export function commandOf<const D extends CommandDefinition>(definition: D, action: Action<D>): Command {
  return { definition, run: async (args) => await action(parseCommand(definition, args)) };
}

type Actions<G extends GroupDefinition> = {
  readonly [Name in G['actions'][number]['name']]: Action<
    Extract<G['actions'][number], { readonly name: Name }>
  >;
};

/** A command of several actions. */
export function groupOf<const G extends GroupDefinition>(definition: G, actions: Actions<G>): Command {
  return {
    definition,
    run: async (args) => {
      const { action, input, unused } = parseGroup(definition, args);
      for (const name of unused)
        process.stderr.write(`upstreamproxy: --${name} does nothing for ${definition.name} ${action}\n`);
      // The parser gives the names of the definition alone, each with the input of its own.
      const run = (actions as unknown as Readonly<Record<string, Action<CommandDefinition>>>)[action];
      return run === undefined ? 0 : await run(input);
    },
  };
}

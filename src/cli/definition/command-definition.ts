// What a command is called, takes and prints. Parser, help, reference and all that comes later are made from this alone.

interface OptionFacts {
  /** For a person, in a few words; sentences after a semicolon or colon. */
  readonly help: string;
  /** One letter. */
  readonly short?: string;
  /** The variable of the environment that gives it where the command line does not. */
  readonly variable?: string;
  /** The heading under which help shows it; options of a heading stand together. */
  readonly section?: string;
}

interface ValueFacts extends OptionFacts {
  /** What stands for the value in help, such as FILE. */
  readonly placeholder: string;
  /** The command does nothing without it. */
  readonly required?: true;
}

/** A number of bytes, seconds or things: digits alone. */
export interface NumberOption extends ValueFacts {
  readonly kind: 'number';
  readonly min: number;
  readonly max: number;
  readonly otherwise?: number;
}

export interface PortOption extends ValueFacts {
  readonly kind: 'port';
  /** 0 where it stands for any free port. */
  readonly min: 0 | 1;
  readonly otherwise?: number;
  /** What can be said instead of a number. */
  readonly words?: readonly string[];
}

/** One of a few words, each with its meaning. */
export interface ChoiceOption extends ValueFacts {
  readonly kind: 'choice';
  readonly choices: Readonly<Record<string, string>>;
  readonly otherwise?: string;
}

/** Some of a few words, with commas between them. */
export interface ListOption extends ValueFacts {
  readonly kind: 'list';
  readonly choices: readonly string[];
}

export interface PathOption extends ValueFacts {
  readonly kind: 'path';
  /** For completion. */
  readonly holds: 'file' | 'folder' | 'any';
}

export interface RepeatedOption extends ValueFacts {
  /** May be given several times. */
  readonly kind: 'repeated';
  readonly each: 'text' | 'path';
}

export type OptionDefinition =
  | (OptionFacts & { readonly kind: 'flag' })
  | (ValueFacts & { readonly kind: 'value' })
  /** As people write them: 90s, 15m, 2h, 1d. The command gets milliseconds. */
  | (ValueFacts & { readonly kind: 'duration'; readonly msMax: number })
  | NumberOption
  | PortOption
  | ChoiceOption
  | ListOption
  | PathOption
  | RepeatedOption;

/** Options by their long names. */
export type OptionTable = Readonly<Record<string, OptionDefinition>>;

export interface ArgumentDefinition {
  readonly name: string;
  readonly help: string;
  readonly required?: true;
  /** Takes all that follow; the last one alone can. */
  readonly repeated?: true;
  /** For completion. */
  readonly takes?: 'path';
  /** It is one of these. */
  readonly words?: readonly string[];
  /** Taken for compatibility and not used; no text names it. */
  readonly hidden?: true;
}

export interface Example {
  /** A whole command line. */
  readonly line: string;
  /** What it is for, in a few words. */
  readonly purpose: string;
}

export interface CommandDefinition {
  readonly kind: 'command';
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** Paragraphs, if there is more to say. */
  readonly description?: readonly string[];
  /** Command lines without the program's name, where those that are made of arguments and options say too little. */
  readonly forms?: readonly string[];
  readonly arguments: readonly ArgumentDefinition[];
  /** Another command line follows, behind `--` or as the first argument: what it is for. */
  readonly command?: string;
  readonly options: OptionTable;
  readonly examples: readonly Example[];
  /** What the command prints with `--json`: an object a line, or one object. */
  readonly lists?: { readonly what: string; readonly as: 'lines' | 'object' };
  /** Exit codes that are no errors of the error table, and what they say. */
  readonly exits?: Readonly<Record<number, string>>;
  /** The program starts it, not people. */
  readonly hidden?: true;
}

/** A command of several actions: `session list`, `session revoke`. */
export interface GroupDefinition {
  readonly kind: 'group';
  readonly name: string;
  readonly summary: string;
  readonly description?: readonly string[];
  /** Asked where no action is named, such as "what about sessions?". */
  readonly question: string;
  readonly actions: readonly CommandDefinition[];
  readonly hidden?: never;
}

export type Definition = CommandDefinition | GroupDefinition;

type Absent<O> = O extends { readonly required: true } | { readonly otherwise: unknown } ? never : undefined;
type Words<O> = O extends { readonly words: readonly (infer W)[] } ? W : never;

/** What the parser gives for an option; undefined: it was not given, and there is nothing otherwise. */
export type OptionValue<O extends OptionDefinition> = O extends { readonly kind: 'flag' }
  ? boolean
  : O extends { readonly kind: 'number' | 'duration' }
    ? number | Absent<O>
    : O extends { readonly kind: 'port' }
      ? number | Words<O> | Absent<O>
      : O extends { readonly kind: 'choice'; readonly choices: infer C }
        ? (keyof C & string) | Absent<O>
        : O extends { readonly kind: 'list'; readonly choices: readonly (infer W)[] }
          ? readonly W[] | Absent<O>
          : O extends { readonly kind: 'repeated' }
            ? readonly string[] | Absent<O>
            : string | Absent<O>;

export type OptionValues<T extends OptionTable> = { readonly [Name in keyof T]: OptionValue<T[Name]> };

type ArgumentText<A> = A extends { readonly words: readonly (infer W)[] } ? W : string;

type ArgumentValue<A extends ArgumentDefinition> = A extends { readonly repeated: true }
  ? readonly string[]
  : A extends { readonly required: true }
    ? ArgumentText<A>
    : ArgumentText<A> | undefined;

export type ArgumentValues<T extends readonly ArgumentDefinition[]> = {
  readonly [A in T[number] as A['name']]: ArgumentValue<A>;
};

/** Every command takes them: parser, help, reference, pages and completion add them to those of its own. */
export const commonOptions = {
  quiet: {
    kind: 'flag',
    short: 'q',
    help: 'no progress, and no lines about what was done: results, warnings and errors stay',
  },
  verbose: {
    kind: 'flag',
    help: 'also says on standard error which gateway or store is asked, how long the command took, and of an error what caused it and what to do',
  },
} as const satisfies OptionTable;

export type CommonValues = OptionValues<typeof commonOptions>;

/** A command line that fits a definition. */
export interface Input<D extends CommandDefinition> {
  readonly options: OptionValues<D['options']> & CommonValues;
  readonly arguments: ArgumentValues<D['arguments']>;
  /** The other command line, which a definition with `command` always has. */
  readonly command: D extends { readonly command: string }
    ? readonly [string, ...string[]]
    : readonly string[];
}

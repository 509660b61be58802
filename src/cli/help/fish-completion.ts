// Completion for fish.

import {
  pathsOf,
  pathsWithWords,
  typedNames,
  type CompletedOption,
  type Place,
  type Values,
} from './completion-places.ts';

/** The script, in a file named `PROGRAM.fish` in a folder of `fish_complete_path`, or sourced. */
export function fishCompletion(program: string, places: readonly Place[]): string {
  const name = `__${program.replaceAll('-', '_')}`;
  return `# Completion of ${program} for fish: ${program} help completion.

# Which command the line is in, and "--" behind it once another command line follows.
function ${name}_path
  set -l path ''
  set -l skip no
  for word in (commandline -opc)[2..-1]
    if test $skip = yes
      set skip no
      continue
    end
    if test "$word" = --
      switch "$path"
        case ${listOf(places.filter(({ takesCommand }) => takesCommand).map(({ path }) => path))}
          echo '--'
          return
      end
    end
    switch "$path $word"
${pathsOf(places)
  .map(
    (path) =>
      `      case ${quoted(path.includes(' ') ? path : ` ${path}`)}\n        set path ${quoted(path)}`,
  )
  .join('\n')}
      case ${listOf(valueOptions(places))}
        set skip yes
      case '*'
        # A word that stands at no place of its own leads nowhere.
        if not string match -q -- '-*' $word
          switch "$path"
            case ${listOf(pathsWithWords(places))}
              set path '?'
          end
        end
    end
  end
  echo $path
end

complete -c ${program} -f
complete -c ${program} -n 'test "$(${name}_path)" = --' -x -a '(__fish_complete_subcommand --fcs-skip=(${name}_skip))'

# How many words stand before the other command line.
function ${name}_skip
  set -l words (commandline -opc)
  contains -i -- -- $words
end

${places.flatMap((place) => placeLines(program, name, place)).join('\n')}
`;
}

function placeLines(program: string, name: string, place: Place): readonly string[] {
  const { path, words, options, operands } = place;
  const line = `complete -c ${program} -n ${quoted(`test "$(${name}_path)" = ${JSON.stringify(path)}`)}`;
  return [
    ...words.map(([word, meaning]) => `${line} -a ${quoted(word)} -d ${quoted(meaning)}`),
    ...options.map((option) => `${line} ${optionText(option)}`),
    ...(operands.kind === 'nothing' ? [] : [`${line} ${valueText(operands)}`]),
  ];
}

function optionText({ name, short, help, values }: CompletedOption): string {
  const names = `-l ${name}${short === undefined ? '' : ` -s ${short}`}`;
  return `${names} -d ${quoted(help)}${values === undefined ? '' : ` ${valueText(values)} -r`}`;
}

function valueText(values: Values): string {
  switch (values.kind) {
    case 'nothing':
      return '-f';
    case 'file':
      return '-F';
    case 'folder':
      return `-f -a '(__fish_complete_directories)'`;
    case 'words': {
      // One a line; a tab stands before what a word is.
      const lines = values.words.map(([word, meaning]) => (meaning === '' ? word : `${word}\t${meaning}`));
      return `-f -a ${quoted(`(printf '%s\\n' ${lines.map(quoted).join(' ')})`)}`;
    }
  }
}

function valueOptions(places: readonly Place[]): readonly string[] {
  return places.flatMap(({ path, options }) =>
    options
      .filter(({ values }) => values !== undefined)
      .flatMap((option) => typedNames(option).map((typed) => `${path} ${typed}`)),
  );
}

function listOf(words: readonly string[]): string {
  return words.length === 0 ? "''" : words.map(quoted).join(' ');
}

/** fish knows two escapes within quotes. */
function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

// Completion for PowerShell 5 and newer. It is made as the others are and was never run: no PowerShell can be had where the tests run.

import { pathsOf, typedNames, type Place, type Values } from './completion-places.ts';

/** The script, for the profile. */
export function powerShellCompletion(program: string, places: readonly Place[]): string {
  return `# Completion of ${program} for PowerShell: ${program} help completion.
# It is made from the same table as those for bash, zsh and fish, which are tested. This one was not run.

Register-ArgumentCompleter -Native -CommandName ${quoted(program)} -ScriptBlock {
  param($wordToComplete, $commandAst, $cursorPosition)
  $paths = @(${pathsOf(places).map(quoted).join(', ')})
  $places = @{
${places.map(placeEntry).join('\n')}
  }
  $path = ''
  $last = ''
  foreach ($element in $commandAst.CommandElements | Select-Object -Skip 1) {
    if ($element.Extent.EndOffset -ge $cursorPosition) { break }
    $word = $element.Extent.Text
    $next = "$path $word".Trim()
    if (-not $places[$path].values.ContainsKey($last) -and $paths -contains $next) { $path = $next }
    $last = $word
  }
  $place = $places[$path]
  if ($place.values.ContainsKey($last)) { $known = $place.values[$last] }
  elseif ($wordToComplete -like '-*') { $known = $place.options }
  else { $known = $place.words }
  $known | Where-Object { $_ -like "$wordToComplete*" } | ForEach-Object {
    [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)
  }
}
`;
}

function placeEntry({ path, words, options, operands }: Place): string {
  const values = options.flatMap((option) => {
    const { values: known } = option;
    if (known === undefined) return [];
    return typedNames(option).map((typed) => `${quoted(typed)} = ${listOf(wordsOf(known))}`);
  });
  const here = [...words.map(([word]) => word), ...wordsOf(operands)];
  const dashed = options.map(({ name }) => `--${name}`);
  return `    ${quoted(path)} = @{ words = ${listOf(here)}; options = ${listOf(dashed)}; values = @{ ${values.join('; ')} } }`;
}

function wordsOf(values: Values): readonly string[] {
  return values.kind === 'words' ? values.words.map(([word]) => word) : [];
}

function listOf(words: readonly string[]): string {
  return `@(${words.map(quoted).join(', ')})`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

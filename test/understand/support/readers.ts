// Parsers of JSON of other languages: each reads texts and tells, text by text, what it made of it.

import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { findTool } from '../../support/tools.ts';

/** A line for each text: `-` for what is refused, else a dump that is alike for values that are alike. */
const programs: Readonly<
  Record<string, { readonly file: string; readonly arguments: readonly string[]; readonly text: string }>
> = {
  python3: {
    file: 'read.py',
    arguments: [],
    text: `
import sys, json, base64
def dump(v):
    if v is None: return 'n'
    if v is True: return 't'
    if v is False: return 'f'
    if isinstance(v, str): return 's' + v.encode('utf-8', 'surrogatepass').hex()
    if isinstance(v, (int, float)): return 'd%.17g' % v
    if isinstance(v, list): return '[' + ','.join(map(dump, v)) + ']'
    return '{' + ','.join(sorted(k.encode('utf-8', 'surrogatepass').hex() + ':' + dump(x) for k, x in v.items())) + '}'
for line in open(sys.argv[1]):
    try: print(dump(json.loads(base64.b64decode(line))))
    except Exception: print('-')
`,
  },
  ruby: {
    file: 'read.rb',
    arguments: [],
    text: `
require 'json'
def dump(v)
  case v
  when nil then 'n'
  when true then 't'
  when false then 'f'
  when String then 's' + v.b.unpack1('H*')
  when Integer, Float then format('d%.17g', v)
  when Array then '[' + v.map { |x| dump(x) }.join(',') + ']'
  else '{' + v.map { |k, x| k.b.unpack1('H*') + ':' + dump(x) }.sort.join(',') + '}'
  end
end
File.foreach(ARGV[0]) do |line|
  begin
    puts dump(JSON.parse(line.unpack1('m').force_encoding('UTF-8')))
  rescue StandardError
    puts '-'
  end
end
`,
  },
  php: {
    file: 'read.php',
    arguments: [],
    text: `<?php
function dump($v) {
  if ($v === null) return 'n';
  if ($v === true) return 't';
  if ($v === false) return 'f';
  if (is_string($v)) return 's' . bin2hex($v);
  if (is_int($v) || is_float($v)) return 'd' . (is_infinite((float) $v) ? 'inf' : var_export((float) $v, true));
  if (is_array($v)) return '[' . implode(',', array_map('dump', $v)) . ']';
  $all = [];
  foreach (get_object_vars($v) as $k => $x) $all[] = bin2hex((string) $k) . ':' . dump($x);
  sort($all, SORT_STRING);
  return '{' . implode(',', $all) . '}';
}
foreach (file($argv[1], FILE_IGNORE_NEW_LINES) as $line) {
  try { echo dump(json_decode(base64_decode($line), false, 512, JSON_THROW_ON_ERROR)), "\\n"; }
  catch (Throwable $e) { echo "-\\n"; }
}
`,
  },
  go: {
    file: 'read.go',
    arguments: ['run'],
    text: `package main
import ("bufio"; "encoding/base64"; "encoding/hex"; "encoding/json"; "fmt"; "os"; "sort"; "strings")
func dump(v any) string {
  switch x := v.(type) {
  case nil: return "n"
  case bool: if x { return "t" }; return "f"
  case string: return "s" + hex.EncodeToString([]byte(x))
  case float64: return fmt.Sprintf("d%.17g", x)
  case []any:
    all := []string{}
    for _, one := range x { all = append(all, dump(one)) }
    return "[" + strings.Join(all, ",") + "]"
  case map[string]any:
    all := []string{}
    for k, one := range x { all = append(all, hex.EncodeToString([]byte(k)) + ":" + dump(one)) }
    sort.Strings(all)
    return "{" + strings.Join(all, ",") + "}"
  }
  return "?"
}
func main() {
  file, _ := os.Open(os.Args[1])
  lines := bufio.NewScanner(file)
  lines.Buffer(make([]byte, 1<<20), 1<<20)
  for lines.Scan() {
    text, _ := base64.StdEncoding.DecodeString(lines.Text())
    var value any
    if json.Unmarshal(text, &value) != nil { fmt.Println("-") } else { fmt.Println(dump(value)) }
  }
}
`,
  },
};

export const readerNames = Object.keys(programs);

/** What a parser makes of each text. Undefined: it is not there. */
export async function readWith(
  name: string,
  texts: readonly Uint8Array[],
): Promise<readonly string[] | undefined> {
  const program = programs[name];
  const tool = findTool(name);
  if (program === undefined || tool === undefined) return undefined;
  await using folder = await temporaryDirectory();
  const [source, input] = [join(folder.path, program.file), join(folder.path, 'texts')];
  await writeFile(source, program.text);
  await writeFile(input, texts.map((text) => `${Buffer.from(text).toString('base64')}\n`).join(''));
  const { stdout } = await promisify(execFile)(tool, [...program.arguments, source, input], {
    maxBuffer: 256 * 1024 * 1024,
    timeout: 120_000,
    env: { ...process.env, GOCACHE: join(folder.path, 'cache'), GO111MODULE: 'off' },
  });
  return stdout.split('\n').slice(0, -1);
}

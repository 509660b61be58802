// Programs of other people's clients of PostgreSQL, as they run in the jail: each connects in every form of TLS that it has, and does there
// what sessions are for. It prints one line for each form, and what was wrong.

export const modes = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;

/** @param packages folder with the packages of npm @param own of the checkout */
export function nodeProgram(packages: string, own: string): string {
  return `
const { Client } = require(${JSON.stringify(`${own}/pg`)});
const postgres = require(${JSON.stringify(`${packages}/postgres`)});
const [host, port] = process.argv.slice(2);
const assert = require('node:assert/strict');

async function withPg(name, ssl) {
  const client = new Client({ host, port, user: 'me', ssl });
  await client.connect();
  const { rows } = await client.query({ name: 'one', text: 'SELECT $1::int AS n', values: [1] });
  assert.deepEqual(rows, [{ n: 1 }]);
  await assert.rejects(client.query('SELECT nothing'), { code: '42703' });
  const heard = new Promise((resolve) => client.once('notification', resolve));
  await client.query('LISTEN news');
  await client.query("NOTIFY news, 'hello'");
  assert.equal((await heard).payload, 'hello');
  await client.end();
  console.log('pg', name, 'ok');
}

async function withPostgres(ssl) {
  const sql = postgres({ host, port: Number(port), username: 'me', ssl, max: 1, onnotice: () => {} });
  const all = await Promise.all([1, 2, 3].map((n) => sql\`SELECT \${n}::int AS n\`));
  assert.deepEqual(all.map(([row]) => row.n), [1, 2, 3]);
  await assert.rejects(sql\`SELECT nothing\`, { code: '42703' });
  await sql.begin(async (tx) => {
    await tx\`CREATE TEMP TABLE copied (t text) ON COMMIT DROP\`;
    const writable = await tx\`COPY copied FROM STDIN\`.writable();
    writable.end('a\\nb\\n');
    await new Promise((resolve, reject) => writable.on('finish', resolve).on('error', reject));
    let text = '';
    for await (const chunk of await tx\`COPY copied TO STDOUT\`.readable()) text += chunk;
    assert.equal(text, 'a\\nb\\n');
  });
  await sql.end();
  console.log('postgres', ssl === false ? 'disable' : ssl, 'ok');
}

(async () => {
  await withPg('disable', false);
  await withPg('require', { rejectUnauthorized: false });
  await withPg('verify-full', true);
  for (const ssl of [false, 'allow', 'prefer', 'require', 'verify-full']) await withPostgres(ssl);
})().catch((error) => {
  console.log(error);
  process.exitCode = 1;
});
`;
}

export const psycopgProgram = `
import os, sys, psycopg
host, port = sys.argv[1:]
for mode in ${JSON.stringify(modes)}:
    with psycopg.connect(host=host, port=port, sslmode=mode, sslrootcert=os.environ['SSL_CERT_FILE'], autocommit=True) as conn:
        with conn.pipeline():
            cursors = [conn.execute('SELECT %s::int', (n,)) for n in range(20)]
        assert [c.fetchone()[0] for c in cursors] == list(range(20))
        for n in range(8):
            assert conn.execute('SELECT %s::int * 2', (n,), prepare=True).fetchone()[0] == n * 2
        try:
            with conn.pipeline():
                conn.execute('SELECT 1')
                conn.execute('SELECT nothing')
            raise AssertionError('no error')
        except psycopg.errors.UndefinedColumn:
            pass
        conn.execute('CREATE TEMP TABLE copied (n int)')
        with conn.cursor() as cursor:
            with cursor.copy('COPY copied FROM STDIN') as copy:
                for n in range(1000):
                    copy.write_row((n,))
            with cursor.copy('COPY copied TO STDOUT') as copy:
                assert len(list(copy.rows())) == 1000
        conn.execute('LISTEN news')
        conn.execute("NOTIFY news, 'hello'")
        assert [one.payload for one in conn.notifies(timeout=20, stop_after=1)] == ['hello']
    print('psycopg', mode, 'ok', flush=True)
`;

export const jdbcProgram = `
import java.io.*;
import java.sql.*;
import java.util.*;
import org.postgresql.PGConnection;

public class Jdbc {
  public static void main(String[] args) throws Exception {
    for (String mode : List.of(${modes.map((mode) => JSON.stringify(mode)).join(', ')})) {
      Properties properties = new Properties();
      properties.setProperty("user", "me");
      properties.setProperty("sslmode", mode);
      properties.setProperty("sslrootcert", System.getenv("SSL_CERT_FILE"));
      try (Connection one = DriverManager.getConnection("jdbc:postgresql://" + args[0] + ":" + args[1] + "/orders", properties)) {
        try (PreparedStatement twice = one.prepareStatement("SELECT ?::int * 2")) {
          for (int n = 0; n < 8; n++) {
            twice.setInt(1, n);
            try (ResultSet rows = twice.executeQuery()) {
              if (!rows.next() || rows.getInt(1) != n * 2) throw new Exception("wrong row");
            }
          }
        }
        one.createStatement().execute("CREATE TEMP TABLE copied (n int)");
        one.setAutoCommit(false);
        try (PreparedStatement insert = one.prepareStatement("INSERT INTO copied VALUES (?)")) {
          for (int n = 0; n < 500; n++) {
            insert.setInt(1, n);
            insert.addBatch();
          }
          insert.executeBatch();
        }
        one.commit();
        try {
          one.createStatement().execute("SELECT nothing");
          throw new Exception("no error");
        } catch (SQLException error) {
          if (!error.getSQLState().equals("42703")) throw error;
        }
        one.rollback();
        one.setAutoCommit(true);
        var copy = one.unwrap(PGConnection.class).getCopyAPI();
        copy.copyIn("COPY copied FROM STDIN", new StringReader("1000\\n1001\\n"));
        var out = new StringWriter();
        copy.copyOut("COPY copied TO STDOUT", out);
        if (out.toString().split("\\n").length != 502) throw new Exception("wrong copy");
        one.createStatement().execute("LISTEN news");
        one.createStatement().execute("NOTIFY news, 'hello'");
        var heard = one.unwrap(PGConnection.class).getNotifications(20000);
        if (heard == null || !heard[0].getParameter().equals("hello")) throw new Exception("not heard");
      }
      System.out.println("jdbc " + mode + " ok");
    }
  }
}
`;

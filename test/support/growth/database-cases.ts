// Readers of what clients and servers of databases say.

import { ClientMessages, ServerMessages } from '../../../src/gateway/databases/postgres/client-messages.ts';
import {
  bodyBytes,
  fatalError,
  messageOf,
  readError,
  readUint32,
} from '../../../src/gateway/databases/postgres/message.ts';
import { ClientPackets } from '../../../src/gateway/databases/mysql/client-packets.ts';
import { CommandRule } from '../../../src/gateway/databases/mysql/command-rule.ts';
import { readGreeting } from '../../../src/gateway/databases/mysql/greeting.ts';
import { readHandshakeResponse } from '../../../src/gateway/databases/mysql/handshake-response.ts';
import { readKill } from '../../../src/gateway/databases/mysql/kill-statement.ts';
import { okStatus, readError as readMysqlError } from '../../../src/gateway/databases/mysql/packet.ts';
import { passwordProof } from '../../../src/gateway/databases/mysql/password-proofs.ts';
import { ServerLogin as MysqlServerLogin } from '../../../src/gateway/databases/mysql/server-login.ts';
import { ServerPackets } from '../../../src/gateway/databases/mysql/server-packets.ts';
import { StandIns as MysqlStandIns } from '../../../src/gateway/databases/mysql/stand-in.ts';
import { ClientCommands } from '../../../src/gateway/databases/redis/client-commands.ts';
import { withoutLogin } from '../../../src/gateway/databases/redis/hello.ts';
import { commandOf, errorReply, headNumber } from '../../../src/gateway/databases/redis/resp.ts';
import { ServerReplies } from '../../../src/gateway/databases/redis/server-replies.ts';
import { StandIns } from '../../../src/gateway/databases/redis/stand-in.ts';
import { RedisCommands } from '../../../src/policy/redis-end.ts';
import { readSetting, ServerWatch } from '../../../src/gateway/databases/postgres/server-watch.ts';
import { isUtf8 } from '../../../src/gateway/databases/postgres/sql/statement-facts.ts';
import { isPlain, refusalOfWord } from '../../../src/gateway/databases/postgres/sql/statement-judge.ts';
import {
  readStatement,
  StatementMessages,
} from '../../../src/gateway/databases/postgres/statement-messages.ts';
import { preparedPassword } from '../../../src/gateway/databases/postgres/scram.ts';
import { ScramServer } from '../../../src/gateway/databases/postgres/scram-server.ts';
import {
  readStartPacket,
  startPacketBytes,
  startUpPacket,
} from '../../../src/gateway/databases/postgres/start-packet.ts';
import { Secret } from '../../../src/protocol/secret.ts';
import { bothWays, latin1, tried, type GrowthCases } from './growth-case.ts';

export const databaseCases: GrowthCases = {
  'what a client of PostgreSQL begins with': {
    pieces: ['a', '\0', 'a\0', 'ab\0cd\0', '\u00ff'],
    read: (text) => {
      const packet = new Uint8Array(8 + text.length);
      const view = new DataView(packet.buffer);
      view.setUint32(0, packet.length);
      view.setUint32(4, 3 << 16);
      packet.set(latin1(text), 8);
      startPacketBytes(packet);
      readStartPacket(packet);
      startUpPacket([[text, text]]);
    },
  },
  'messages of a session of PostgreSQL': {
    pieces: ['Q\0\0\0\x04', 'S\0\0\0\x05a', 'Q', 'Q\0\0', 'd\0\0\xff\xff'],
    read: (text) => {
      const octets = latin1(text);
      new ClientMessages().take(octets);
      new ServerMessages().take(octets);
      tried(() => bodyBytes(octets));
      readUint32(octets, 0);
    },
  },
  'messages with statements of PostgreSQL': {
    pieces: ['Q\0\0\0\x06a\0', 'P\0\0\0\x08\0a\0\0\0', 'Q\0\0\xff\xff', 'S\0\0\0\x04', 'Q'],
    read: (text) => {
      for (const dropsLong of [true, false])
        bothWays(text, () => {
          const messages = new StatementMessages(1000, dropsLong);
          return (bytes) => {
            for (const piece of messages.take(bytes))
              if (piece.kind === 'statement') readStatement(piece.type, piece.message);
          };
        });
      readStatement('parse', latin1(text));
      isPlain(latin1(text));
    },
  },
  'what a server says of a session of PostgreSQL': {
    pieces: ['Z\0\0\0\x05I', 'S\0\0\0\x08a\0b\0', 'E\0\0\0\x05\0', 'D\0\0\0\x06\0\0', 'E\0\0\xff\xff', 'S'],
    read: (text) => {
      const ignore = (): undefined => undefined;
      bothWays(text, () => {
        const watch = new ServerWatch(1000, {
          error: ignore,
          setting: ignore,
          ready: ignore,
          copiesIn: ignore,
          unread: ignore,
        });
        return (bytes) => [...watch.take(bytes)];
      });
      readSetting(latin1(text));
      isUtf8(text);
      refusalOfWord(text);
    },
  },
  'an error of PostgreSQL': {
    pieces: ['M', 'C\0', '\0', 'a'],
    read: (text) => {
      readError(latin1(text), 500);
      fatalError({ sqlState: '28000', message: text, hint: text });
      messageOf('E', text);
    },
  },
  'what a client says that logs in': {
    pieces: ['n,,n=,r=', 'a', ',', 'y,,', 'p='],
    read: (text) => {
      const options = { password: 'a', nonce: 'a', salt: latin1('a'), binding: undefined };
      tried(() => new ScramServer(options).first('SCRAM-SHA-256', text));
    },
  },
  'packets of a client of MySQL': {
    pieces: [
      '\u0001\0\0\0\u000e',
      '\u0007\0\0\0\u0003KILL 7',
      '\u0005\0\0\0\u0011root',
      '\u0003',
      'kill ',
      '\0',
    ],
    read: (text) => {
      const standIns = new MysqlStandIns(Uint8Array.of(1, 2, 3, 4), 'rule');
      bothWays(text, () => {
        const watcher = { passed: () => undefined, refused: () => undefined };
        const end = { databases: ['a'] };
        const rule = new CommandRule({ end, standIns, address: 'a', findThread: () => undefined, watcher });
        const packets = new ClientPackets(rule);
        return (bytes) => packets.take(bytes);
      });
      readKill(latin1(text), true);
      readHandshakeResponse(latin1(text));
    },
  },
  'what a server of MySQL says': {
    pieces: [
      '\u0003\0\0\u0001\u00ff\0\0',
      '\u0001\0\0\u0001a',
      '\u00ff\u0011\u0029#U3401',
      '\n',
      '\u00fc',
      '#42000',
      '\u00femysql_native_password\0',
    ],
    read: (text) => {
      const standIns = new MysqlStandIns(Uint8Array.of(1, 2, 3, 4), 'rule');
      bothWays(text, () => {
        const packets = new ServerPackets((payload) => standIns.response(payload));
        return (bytes) => packets.take(bytes);
      });
      const login = new MysqlServerLogin({
        password: new Secret('a'),
        methods: ['caching_sha2_password', 'mysql_native_password'],
        isVerified: true,
        greeting: { method: text, nonce: latin1(text) },
        errorCharactersMax: 500,
      });
      login.first();
      login.receive(latin1(text));
      passwordProof('mysql_native_password', text, latin1(text));
      standIns.response(latin1(text));
      readGreeting(latin1(text));
      readMysqlError(latin1(text), 500);
      okStatus(latin1(text));
    },
  },
  'commands of a client of Redis': {
    pieces: [
      '*1\r\n$4\r\nPING\r\n',
      '*1\r\n$4\r\nKEYS\r\n',
      '*9',
      '$',
      'get a b\r\n',
      '*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n',
    ],
    read: (text) => {
      const rule = new RedisCommands({ allow: ['default'], deny: ['keys'] });
      const watcher = { passed: () => undefined, refused: () => undefined };
      new ClientCommands(rule, new StandIns('ab', 'rule'), watcher).take(latin1(text));
      withoutLogin(['HELLO', '3', text].map((word) => latin1(word)));
      headNumber(text);
      commandOf([text]);
      errorReply('ERR', text);
    },
  },
  'what a server of Redis says': {
    pieces: ['*1\r\n', ':1\r\n', '$3\r\nabc\r\n', '-ERR ', '\r\n', "'upstreamproxy.ab.denied.get'"],
    read: (text) => {
      const standIns = new StandIns('ab', 'rule');
      new ServerReplies((line) => standIns.response(line)).take(latin1(text));
      standIns.response(latin1(text));
    },
  },
  'a password that is prepared': {
    pieces: ['a', '\u00ad', '\u00a0', '\u0301', '\ufdfa'],
    read: (text) => preparedPassword(text),
  },
};

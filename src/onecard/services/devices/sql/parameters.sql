-- What terminals of the house read of their parameters; bounds as in protocol/parameters.py, which a test compares.
INSERT INTO devices_parameter (key, title_zh, title_en, kind, least, most, choices, "default") VALUES
    ('amount_max_fen',              '单笔最高金额（分）',       'Highest amount at once (fen)',         'integer', 1, 100000000, '{}', '100000000'),
    ('offline_limits',              '按本机限额脱机消费',       'Sells off line by its own limits',     'boolean', NULL, NULL, '{}', 'false'),
    ('offline_per_transaction_fen', '脱机单笔限额（分）',       'Off line: per transaction (fen)',      'integer', 0, 1000000000000, '{}', '5000'),
    ('offline_per_card_day_fen',    '脱机单卡单日限额（分）',   'Off line: per card and day (fen)',     'integer', 0, 1000000000000, '{}', '10000'),
    ('offline_per_card_day_count',  '脱机单卡单日次数',         'Off line: times per card and day',     'integer', 0, 100000, '{}', '10'),
    ('offline_total_fen',           '脱机未上送总额（分）',     'Off line: unsent in all (fen)',        'integer', 0, 1000000000000, '{}', '2000000'),
    ('guard_permille',              '名单拒刷上限（‰）',        'Most cards a list may refuse (‰)',     'integer', 1, 1000, '{}', '200'),
    ('door_open_s',                 '开门时长（秒）',           'Door stays open (s)',                  'integer', 1, 600, '{}', '3'),
    ('door_held_s',                 '门未关报警（秒）',         'Door held is reported after (s)',      'integer', 1, 3600, '{}', '30'),
    ('repeat_s',                    '重复考勤间隔（秒）',       'Same card again is one reading (s)',   'integer', 0, 3600, '{}', '60'),
    ('topup_min_fen',               '最低充值金额（分）',       'Lowest top-up (fen)',                  'integer', 1, 100000000, '{}', '100'),
    ('topup_max_fen',               '最高充值金额（分）',       'Highest top-up (fen)',                 'integer', 1, 100000000, '{}', '100000'),
    ('notes_fen',                   '接收的纸币面额（分）',     'Notes taken (fen, commas between)',    'text', 1, 200, '{}', '"100,500,1000,2000,5000,10000"')
ON CONFLICT (key) DO NOTHING;

-- A file says now of which kind its line is; a new version brings that to devices.
UPDATE devices_lineparameters p
   SET version = p.version + 1,
       content = convert_to((convert_from(p.content, 'UTF8')::jsonb
                             || jsonb_build_object('kind', l.kind, 'version', p.version + 1))::text, 'UTF8')
  FROM devices_line l WHERE l.id = p.line_id;

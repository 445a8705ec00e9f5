\echo Use "CREATE EXTENSION provreq" to load this file. \quit
